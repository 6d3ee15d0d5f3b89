/**
 * The colours of the page and of exported files, as CSS custom properties, each for a light and a dark background. One hue
 * per kind of memory, the same everywhere, from Okabe and Ito's palette (https://jfly.uni-koeln.de/color/).
 */
export const COLOURS = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1b1f24, #e4e8ed);
  --dim: light-dark(#59626c, #a0a9b4);
  --back: light-dark(#ffffff, #16191d);
  --panel: light-dark(#f5f6f8, #1e2227);
  --line: light-dark(#dfe2e7, #343a42);
  --accent: light-dark(#0a5fb4, #7cc0ff);
  --bar: light-dark(#9db9d4, #4a6a88);
  --warning: light-dark(#7a4f00, #f2cf7c);
  --warning-back: light-dark(#fff6dd, #332a14);
  --hot: light-dark(#fff1cf, #40351a);
  --gc-mark: light-dark(#9c4a7c, #e39bc4);
  --kind-gc-heap: light-dark(#0072b2, #56b4e9);
  --kind-native-heap: light-dark(#d55e00, #f0813a);
  --kind-mapped: #e69f00;
  --kind-stack: #009e73;
  --kind-code: #cc79a7;
  --kind-image: light-dark(#8a8f98, #9aa0aa);
  --kind-file: light-dark(#b5a642, #f0e442);
  --kind-runtime: light-dark(#56b4e9, #0072b2);
  --kind-profiler: light-dark(#6f6f6f, #8f8f8f);
  --kind-unexplained: light-dark(#444444, #b0b0b0);
}
`;
