// The language of hunts for CodeMirror: the rules of `rules.js`, read line by line.
import { HighlightStyle, LanguageSupport, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { Tag, tags } from '@lezer/highlight';
import { rules } from './rules.js';

const SIGN = /[\p{L}\p{M}\p{N}_]/u;
const QUOTED = new Set(['single', 'double']);

// The class of a token, the tag of CodeMirror that themes know it by, and Lab's own colour for such things.
const KINDS = {
  keyword: [tags.keyword, 'keyword', 'font-weight: bold'],
  view: [tags.modifier, 'keyword'],
  constant: [tags.bool, 'atom'],
  test: [tags.operatorKeyword, 'keyword', 'font-weight: bold'],
  operator: [tags.operator, 'operator'],
  sign: [tags.punctuation, 'bracket'],
  comment: [tags.lineComment, 'comment', 'font-style: italic'],
  string: [tags.string, 'string'],
  escape: [tags.escape, 'builtin'],
  time: [tags.literal, 'number', 'text-decoration: underline dotted'],
  number: [tags.number, 'number'],
  name: [tags.variableName, 'variable'],
  made: [tags.variableName, 'def'],
  parameter: [tags.variableName, 'tag', 'font-weight: bold'],
  type: [tags.typeName, 'variable-2'],
  verb: [tags.variableName, 'variable-3', 'font-weight: bold'],
  function: [tags.variableName, 'builtin'],
  attribute: [tags.propertyName, 'property'],
  uri: [tags.url, 'link', 'text-decoration: underline']
};

const tokenTable = {};
const styles = [];
for (const [name, [tag, , more]] of Object.entries(KINDS)) {
  tokenTable[`kst-${name}`] = Tag.define(tag);
  styles.push({ tag: tokenTable[`kst-${name}`], class: `kst-${name}` });
}

export const colours = Object.entries(KINDS)
  .map(([name, [, colour, more]]) => `.cm-editor .kst-${name} { color: var(--jp-mirror-editor-${colour}-color); ${more || ''} }`)
  .join('\n');

function compiled(state) {
  const found = [];
  for (const rule of rules[state]) {
    if (rule.include) {
      found.push(...compiled(rule.include));
    } else {
      found.push({ ...rule, pattern: new RegExp(`^(?:${rule.pattern})`, 'iu') });
    }
  }
  return found;
}

const STATES = Object.fromEntries(Object.keys(rules).map(name => [name, compiled(name)]));

function enter(state, next) {
  if (next === '#pop') {
    state.stack.pop();
  } else if (next) {
    state.stack.push(next);
  }
}

// One rule may colour several groups: those after the first wait in `state.waiting`.
function token(stream, state) {
  if (stream.sol()) {
    state.waiting = [];
    if (QUOTED.has(state.stack.at(-1)) && !state.continued) {
      state.stack.pop();
    }
    state.continued = false;
  }
  if (state.waiting.length) {
    const [length, name] = state.waiting.shift();
    stream.pos += length;
    return name;
  }
  for (let tries = 0; tries < 10; tries++) {
    const rest = stream.string.slice(stream.pos);
    const before = stream.pos ? stream.string[stream.pos - 1] : '';
    let moved = false;
    for (const rule of STATES[state.stack.at(-1)]) {
      if (rule.fresh && stream.pos) {
        continue;
      }
      const found = rule.pattern.exec(rest);
      if (!found || (found[0] && /^\p{L}/u.test(found[0]) && SIGN.test(before) && rule.classes[0] === 'keyword')) {
        continue;
      }
      if (!found[0] && !rule.next) {
        continue;
      }
      enter(state, rule.next);
      if (!found[0]) {
        moved = true;
        break;
      }
      const parts = rule.classes.length > 1 ? found.slice(1) : [found[0]];
      const pieces = parts.map((text, n) => [text ? text.length : 0, rule.classes[n] ? `kst-${rule.classes[n]}` : null]).filter(([length]) => length);
      const [length, name] = pieces.shift();
      state.waiting = pieces;
      stream.pos += length;
      if (stream.eol() && QUOTED.has(state.stack.at(-1))) {
        state.continued = stream.string.endsWith('\\');
      }
      return name;
    }
    if (!moved) {
      break;
    }
  }
  stream.next();
  return null;
}

export const language = StreamLanguage.define({
  name: 'kestrel',
  startState: () => ({ stack: ['root'], waiting: [], continued: false }),
  copyState: state => ({ stack: [...state.stack], waiting: [...state.waiting], continued: state.continued }),
  token,
  tokenTable,
  languageData: {
    commentTokens: { line: '#' },
    closeBrackets: { brackets: ['(', '[', '{', "'", '"'] }
  }
});

export const support = new LanguageSupport(language, [syntaxHighlighting(HighlightStyle.define(styles))]);
