// What a variable is, how its values are spread, how it is made, what a cell made, and what else is said in words.
import { folded, grid, make, number, seconds, shown } from './dom.js';

const many = (count, noun) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;

const span = (first, last) => (first ? (first === last ? seconds(first) : `${seconds(first)} to ${seconds(last)}`) : '');

// What a variable was made from: the unchanged names, then the earlier definition of each of the others.
function inputs(found) {
  const unchanged = found.filter(i => i.state === 'unchanged').map(i => i.name);
  const others = found
    .filter(i => i.state !== 'unchanged')
    .map(i => [make('code', {}, i.name), i.state === 'redefined' ? ' (redefined since); it was: ' : ' (no longer defined); it was: ', make('code', {}, i.origin)]);
  const lines = [...(unchanged.length ? [[`${unchanged.join(', ')} (unchanged since)`]] : []), ...others];
  return lines.length ? make('div', {}, ...lines.map(line => make('div', {}, ...line))) : null;
}

function facts(pairs) {
  const rows = pairs.filter(([, value]) => value).map(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]);
  return make('dl', { class: 'kst-facts' }, ...rows.flat());
}

export function info(data) {
  const table = data.type === 'table';
  const known = data.attributes.filter(a => a.entities);
  const unset = data.attributes.filter(a => !a.entities).map(a => a.name);
  const size = table ? many(data.entities, 'row') : `${number(data.entities)} ${data.type} ${data.entities === 1 ? 'entity' : 'entities'}, ${many(data.records, 'record')}`;
  const full = known.map(a => {
    const share = data.entities ? Math.min(1, a.entities / data.entities) : 0;
    const meter = make('span', { class: 'kst-meter', title: `${Math.round(share * 100)} %` }, make('span', { style: `width: ${share * 100}%` }));
    return make('tr', {}, make('td', {}, a.name), make('td', { class: 'kst-number-cell' }, number(a.entities)), make('td', {}, meter), make('td', {}, shown(a.example)));
  });
  const heads = ['attribute', table ? 'rows' : 'entities', '', 'most frequent'].map(name => make('th', { scope: 'col' }, name));
  return make(
    'div',
    { class: 'kst-card' },
    make('div', { class: 'kst-title' }, make('b', {}, data.variable), ` ${size}`),
    facts([
      ['observed', span(data.first_observed, data.last_observed)],
      ['source', data.sources.join(', ')],
      ['made by', data.origin ? make('code', {}, data.origin) : null],
      ['inputs', inputs(data.inputs || [])],
      ['changed since read', (data.changed_files || []).join(', ')],
      ['never set', unset.join(', ')]
    ]),
    known.length ? make('table', { class: 'kst-grid' }, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...full)) : null,
    data.relations.length
      ? folded('FIND from here', make('ul', {}, ...data.relations.map(r => make('li', {}, make('code', {}, `${r} ${data.variable}`)))))
      : null
  );
}

export function description(data) {
  return make(
    'div',
    { class: 'kst-card' },
    make('div', { class: 'kst-title' }, make('b', {}, `${data.variable}.${data.attribute}`)),
    facts(Object.entries(data.statistics).map(([name, value]) => [name, shown(value)])),
    data.frequent.length ? grid(['rows', 'most frequent'], data.frequent.map(([value, count]) => [count, value])) : null
  );
}

export function explanation(data) {
  return make(
    'div',
    { class: 'kst-card' },
    make('div', { class: 'kst-title' }, make('b', {}, data.variable), ' is made by'),
    make('pre', {}, data.steps.join('\n')),
    data.queries.length ? grid(['records', 'asked of', 'query'], data.queries.map(q => [q.records, q.source, q.query])) : null
  );
}

export function summary(data) {
  const columns = ['variable', 'type', 'entities', 'records', 'observed', 'source'];
  const rows = data.variables.map(m => [m.name, m.type, m.entities, m.records, span(m.first_observed, m.last_observed), m.sources.join(', ')]);
  const kept = columns.map((_, n) => n).filter(n => rows.some(row => row[n] !== '' && row[n] !== null));
  const table = rows.length ? grid(kept.map(n => columns[n]), rows.map(row => kept.map(n => row[n]))) : null;
  const asked = (data.asked || []).map(a => [a.source, a.queries, a.records, a.bytes, a.seconds]);
  const live = asked.length ? grid(['asked', 'queries', 'records', 'bytes', 'seconds'], asked) : null;
  return make('div', { class: 'kst-summary' }, table, live, make('span', { class: 'kst-quiet' }, `${data.seconds.toFixed(2)} s`));
}

export const notice = data => make('div', { class: 'kst-notice' }, make('b', {}, `note[${data.code}] `), data.message);

export const words = data => make('div', {}, make('b', {}, shown(data.name || data.code)), make('pre', {}, data.text || data.message));
