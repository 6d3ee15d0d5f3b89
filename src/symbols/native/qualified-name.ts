/**
 * A C++ name without its arguments, those of its templates, and its result: `std::vector::push_back`.
 */
export function qualifiedName(name: string): string {
  const isOperatorNew = /^operator new(\[\])?(?=$|\()/.exec(name);
  if (isOperatorNew !== null) return isOperatorNew[0];
  let result = '';
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    const character = name[i];
    const isOperator = depth === 0 && (character === '<' || character === '(') && /\boperator[<(]?$/.test(result);
    if (isOperator) result += character;
    else if (character === '<' || character === '{') depth++;
    else if ((character === '>' && name[i - 1] !== '-') || character === '}') depth = Math.max(0, depth - 1);
    else if (depth === 0 && character === '(') {
      if (!name.startsWith('(anonymous namespace)', i)) break;
      i += '(anonymous namespace)'.length - 1;
      result += '(anonymous)';
    } else if (depth === 0) result = character === ' ' ? '' : result + character;
  }
  return result;
}
