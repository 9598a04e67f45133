// A tree of entities: branches open and close, by mouse and by keys; only what is open is on the page.
import { button, make, number, seconds, shown } from './dom.js';

const AT_ONCE = 200;
const OPENED = 400;

export function tree(data) {
  return new Tree(data).node;
}

class Tree {
  constructor(data) {
    this.data = data;
    this.children = data.nodes.map(() => []);
    this.parent = data.nodes.map(() => -1);
    this.roots = [];
    const path = [];
    data.nodes.forEach((node, place) => {
      path.length = node.depth;
      if (node.depth) {
        this.parent[place] = path[node.depth - 1];
        this.children[this.parent[place]].push(place);
      } else {
        this.roots.push(place);
      }
      path.push(place);
    });
    this.open = new Set();
    this.limit = new Map();
    this.chosen = null;
    this.leading();
    const marked = data.nodes.filter(n => n.marked).length;
    this.note = make('span', { class: 'kst-note', 'aria-live': 'polite' }, `${number(data.total)} entities, ${number(marked)} of ${data.variable}`);
    this.search = make('input', { type: 'search', class: 'kst-search', placeholder: 'find', 'aria-label': 'find in the tree', oninput: () => this.found() });
    const bar = make(
      'div',
      { class: 'kst-bar' },
      this.search,
      button('open all', 'open every branch', () => this.all(true)),
      button('close all', 'close every branch', () => this.all(false)),
      this.note
    );
    this.list = make('div', { role: 'tree', class: 'kst-tree', 'aria-label': `tree of ${data.variable}`, onkeydown: event => this.key(event) });
    const left = data.total - data.nodes.length;
    this.node = make('div', {}, bar, this.list, left > 0 ? make('div', { class: 'kst-warning' }, `${number(left)} more are not shown`) : null);
    this.chosen = this.roots[0] ?? null;
    this.show();
  }

  // What leads to an entity of the variable is open, as far as that stays readable.
  leading() {
    this.data.nodes.forEach((node, place) => {
      if (node.marked && this.open.size < OPENED) {
        this.reveal(place);
      }
    });
  }

  reveal(place) {
    for (let above = this.parent[place]; above >= 0; above = this.parent[above]) {
      this.open.add(above);
    }
  }

  all(open) {
    this.open = new Set(open ? this.children.flatMap((below, place) => (below.length ? [place] : [])) : []);
    this.show();
  }

  found() {
    const wanted = this.search.value.toLowerCase();
    const hits = wanted ? this.data.nodes.flatMap((n, place) => (`${n.label} ${n.detail}`.toLowerCase().includes(wanted) ? [place] : [])) : [];
    this.hits = new Set(hits);
    hits.slice(0, OPENED).forEach(place => this.reveal(place));
    this.note.textContent = wanted ? `${number(hits.length)} found` : `${number(this.data.total)} entities`;
    this.show();
    if (hits.length) {
      this.list.querySelector('.kst-hit')?.scrollIntoView({ block: 'nearest' });
    }
  }

  show(focus = false) {
    const rows = [];
    const add = (places, depth) => {
      const parent = places.length ? this.parent[places[0]] : -1;
      const most = this.limit.get(parent) ?? AT_ONCE;
      for (const place of places.slice(0, most)) {
        rows.push(this.row(place, depth));
        if (this.open.has(place)) {
          add(this.children[place], depth + 1);
        }
      }
      if (places.length > most) {
        const more = button(`${number(places.length - most)} more`, 'show more', () => {
          this.limit.set(parent, most + 1000);
          this.show();
        });
        rows.push(make('div', { style: `padding-left: ${depth * 1.3 + 1.3}em` }, more));
      }
    };
    add(this.roots, 0);
    this.list.replaceChildren(...rows);
    if (focus) {
      this.list.querySelector('[tabindex="0"]')?.focus();
    }
  }

  row(place, depth) {
    const node = this.data.nodes[place];
    const below = this.children[place].length;
    const open = this.open.has(place);
    const classes = ['kst-node', node.marked ? 'kst-marked' : '', this.hits?.has(place) ? 'kst-hit' : ''].join(' ').trim();
    return make(
      'div',
      {
        role: 'treeitem',
        class: classes,
        'aria-level': depth + 1,
        'aria-expanded': below ? String(open) : null,
        'aria-selected': String(place === this.chosen),
        tabindex: place === this.chosen ? 0 : -1,
        'data-place': place,
        style: `padding-left: ${depth * 1.3}em`,
        title: node.id,
        onclick: () => this.toggle(place)
      },
      make('span', { class: 'kst-twig', 'aria-hidden': 'true' }, below ? (open ? '▾' : '▸') : ' '),
      node.marked ? make('span', { class: 'kst-star', title: `of ${this.data.variable}` }, '★ ') : null,
      make('span', { class: 'kst-label' }, shown(node.label)),
      node.time ? make('span', { class: 'kst-quiet' }, ` ${seconds(node.time)} `) : null,
      make('span', { class: place === this.chosen ? 'kst-detail kst-whole' : 'kst-detail' }, ` ${shown(node.detail)}`)
    );
  }

  toggle(place) {
    this.chosen = place;
    if (this.children[place].length) {
      this.open.has(place) ? this.open.delete(place) : this.open.add(place);
    }
    this.show(true);
  }

  key(event) {
    const rows = [...this.list.querySelectorAll('.kst-node')];
    const here = rows.findIndex(row => Number(row.dataset.place) === this.chosen);
    const at = n => (rows[n] ? Number(rows[n].dataset.place) : this.chosen);
    const place = this.chosen;
    const moves = {
      ArrowDown: () => at(here + 1),
      ArrowUp: () => at(Math.max(0, here - 1)),
      Home: () => at(0),
      End: () => at(rows.length - 1),
      ArrowRight: () => (this.children[place].length ? (this.open.has(place) ? this.children[place][0] : (this.open.add(place), place)) : place),
      ArrowLeft: () => (this.open.has(place) ? (this.open.delete(place), place) : this.parent[place] >= 0 ? this.parent[place] : place),
      Enter: () => (this.toggle(place), place),
      ' ': () => (this.toggle(place), place)
    };
    const move = moves[event.key];
    if (move) {
      event.preventDefault();
      event.stopPropagation();
      this.chosen = move();
      this.show(true);
    }
  }
}
