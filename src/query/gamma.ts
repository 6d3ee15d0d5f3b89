/**
 * P(a, x), the distribution function of the gamma distribution of shape `a` and scale 1: by its series below the mean, by
 * its continued fraction above (Press et al., Numerical Recipes, 1992, §6.2).
 */
export function gammaDistribution(a: number, x: number): number {
  if (!(x > 0)) return 0;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  if (x < a + 1) {
    let term = 1;
    let sum = 1;
    for (let n = 1; n < STEPS && term > PRECISION * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return Math.min(1, scale * sum);
  }
  // Lentz's method.
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < STEPS; n++) {
    const numerator = n * (a - n);
    b += 2;
    d = 1 / (numerator * d + b);
    c = numerator / c + b;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < PRECISION) break;
  }
  return Math.max(0, 1 - scale * a * fraction);
}

const STEPS = 1000;
const PRECISION = 1e-10;

/** ln Γ(x) for x > 0 by Stirling's series, from 8 on, where its error is below 1e-12. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 8; y++) shift += Math.log(y);
  const z = 1 / (y * y);
  const series = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z / 1188)))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
