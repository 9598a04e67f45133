// Elements are made here, and only here: what stands in them is always text, never markup.

const SVG = 'http://www.w3.org/2000/svg';

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name.startsWith('on')) {
      node.addEventListener(name.slice(2), value);
    } else {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

// Signs that steer a terminal or turn the direction of text are shown as escapes.
export function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, sign => {
    const code = sign.codePointAt(0).toString(16);
    return code.length < 3 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

export function shown(value) {
  if (value === null || value === undefined) {
    return '';
  }
  return visible(Array.isArray(value) ? value.map(shown).join(', ') : String(value));
}

export const number = value => value.toLocaleString('en-US');

export const seconds = time => (time ? time.replace(/\.\d+Z$/, 'Z') : '');

export function button(label, title, act, more = {}) {
  return make('button', { type: 'button', class: 'kst-button', title, 'aria-label': title, onclick: act, ...more }, label);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make('textarea', { style: 'position: fixed; opacity: 0' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

const LONGEST = 120;

// A value; of a long one the beginning, and the whole of it on demand.
export function cell(value) {
  const text = shown(value);
  if (text.length <= LONGEST) {
    return text;
  }
  const part = make('span', {}, `${text.slice(0, LONGEST)}`);
  const more = button('…', `show all ${number(text.length)} signs`, () => {
    const open = more.getAttribute('aria-expanded') === 'true';
    part.textContent = open ? text.slice(0, LONGEST) : text;
    more.textContent = open ? '…' : 'less';
    more.setAttribute('aria-expanded', String(!open));
  });
  more.setAttribute('aria-expanded', 'false');
  return make('span', { class: 'kst-long' }, part, more);
}

// For each column, whether it holds numbers and nothing else.
export function numeric(columns, rows) {
  return columns.map((_, n) => {
    const known = rows.map(row => row[n]).filter(value => value !== null && value !== undefined);
    return known.length > 0 && known.every(value => typeof value === 'number');
  });
}

export function grid(columns, rows) {
  const numbers = numeric(columns, rows);
  const head = make('tr', {}, ...columns.map((name, n) => make('th', { class: numbers[n] ? 'kst-number-cell' : null, scope: 'col' }, shown(name))));
  const body = rows.map(row => make('tr', {}, ...columns.map((_, n) => make('td', { class: numbers[n] ? 'kst-number-cell' : null }, cell(row[n])))));
  return make('table', { class: 'kst-grid' }, make('thead', {}, head), make('tbody', {}, ...body));
}

export function folded(title, ...children) {
  return make('details', {}, make('summary', {}, title), ...children);
}
