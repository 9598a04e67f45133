// Entities and relations around a variable: selecting one shows what it is and the FIND that leads to it.
import { button, copy, draw, grid, make, number, shown } from './dom.js';

const SIGNS = 34;
const SHAPES = { process: '●', file: '■', 'network-traffic': '◆', 'user-account': '▲', 'windows-registry-key': '▼' };

export function graph(data) {
  return new Graph(data).node;
}

const short = text => (text.length <= SIGNS ? text : `${text.slice(0, 11)}…${text.slice(-(SIGNS - 12))}`);

class Graph {
  constructor(data) {
    this.data = data;
    this.scale = 0.9;
    this.hidden = new Set();
    this.panel = make('div', { class: 'kst-panel', 'aria-live': 'polite' }, 'select an entity to see its attributes and the FIND that leads there');
    this.picture = draw('svg', { class: 'kst-graph', role: 'group', 'aria-label': this.title(), viewBox: `0 0 ${data.width} ${data.height}` });
    this.draw();
    const types = [...new Set(data.nodes.map(n => n.type))];
    const boxes = types.map(type => {
      const count = data.nodes.filter(n => n.type === type).length;
      const box = make('input', { type: 'checkbox', checked: true, onchange: () => this.filter(type, box.checked) });
      return make('label', { class: 'kst-kind' }, box, make('span', { class: `kst-type-${type}`, 'aria-hidden': 'true' }, SHAPES[type] || '⬢'), ` ${type} (${count})`);
    });
    const bar = make('div', { class: 'kst-bar' }, ...boxes, button('+', 'larger', () => this.zoom(1.25)), button('−', 'smaller', () => this.zoom(0.8)));
    const left = data.left_out.map(l => make('div', { class: 'kst-quiet' }, make('code', {}, l.find), ` leads to ${number(l.entities)} more`));
    this.node = make('div', {}, bar, make('div', { class: 'kst-scroll kst-picture' }, this.picture), this.panel, ...left);
    this.zoom(1);
  }

  title() {
    const marked = this.data.nodes.filter(n => n.marked).length;
    return `graph of ${this.data.variable}: ${marked} ${this.data.type}, ${this.data.nodes.length - marked} entities around them`;
  }

  draw() {
    const { data } = this;
    this.edges = data.edges.map(([subject, verb, object, records]) => {
      const told = `${data.nodes[subject].label} ${verb} ${data.nodes[object].label} (${number(records)})`;
      const line = draw('path', { class: 'kst-edge', d: this.line(subject, object) }, draw('title', {}, shown(told)));
      return { subject, object, line };
    });
    this.nodes = data.nodes.map((node, place) => {
      const [x, y] = data.places[place];
      const shape = draw('tspan', { class: `kst-type-${node.type}` }, SHAPES[node.type] || '⬢');
      return draw(
        'g',
        {
          class: node.marked ? 'kst-entity kst-marked' : 'kst-entity',
          role: 'button',
          tabindex: 0,
          'aria-label': shown(`${node.type} ${node.label}`),
          onclick: () => this.select(place),
          onkeydown: event => this.key(event, place)
        },
        draw('title', {}, shown(node.label)),
        draw('rect', { x, y, width: data.node, height: data.row - 4, rx: 4, class: `kst-edge-${node.type}` }),
        draw('text', { x: x + 8, y: y + 14 }, shape, ` ${short(shown(node.label))}`)
      );
    });
    const heads = data.headings.map(([text, x, y]) => draw('text', { x, y: y + 18, class: 'kst-heading' }, text));
    this.picture.append(...this.edges.map(e => e.line), ...heads, ...this.nodes);
  }

  line(subject, object) {
    const { places, node, row } = this.data;
    const [ax, ay] = places[subject];
    const [bx, by] = places[object];
    const a = ay + row / 2 - 2;
    const b = by + row / 2 - 2;
    if (ax === bx) {
      return `M${ax + node} ${a}C${ax + node + 40} ${a} ${bx + node + 40} ${b} ${bx + node} ${b}`;
    }
    const [left, right] = ax < bx ? [ax + node, bx] : [ax, bx + node];
    const middle = (left + right) / 2;
    return `M${left} ${a}C${middle} ${a} ${middle} ${b} ${right} ${b}`;
  }

  zoom(factor) {
    this.scale = Math.min(3, Math.max(0.4, this.scale * factor));
    this.picture.setAttribute('width', this.data.width * this.scale);
    this.picture.setAttribute('height', this.data.height * this.scale);
  }

  filter(type, on) {
    on ? this.hidden.delete(type) : this.hidden.add(type);
    const gone = place => this.hidden.has(this.data.nodes[place].type);
    this.nodes.forEach((node, place) => (node.style.display = gone(place) ? 'none' : ''));
    this.edges.forEach(({ subject, object, line }) => (line.style.display = gone(subject) || gone(object) ? 'none' : ''));
  }

  key(event, place) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Enter' || event.key === ' ') {
      this.select(place);
    } else if (step) {
      this.nodes[place + step]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  select(place) {
    const near = new Set([place]);
    for (const { subject, object, line } of this.edges) {
      const tied = subject === place || object === place;
      line.classList.toggle('kst-lit', tied);
      if (tied) {
        near.add(subject).add(object);
      }
    }
    this.nodes.forEach((node, other) => {
      node.classList.toggle('kst-chosen', other === place);
      node.classList.toggle('kst-dim', !near.has(other));
      node.setAttribute('aria-pressed', String(other === place));
    });
    const node = this.data.nodes[place];
    const find = make('code', { class: 'kst-find' }, node.find);
    const take = button('copy', 'copy this command', () => copy(node.find));
    const rows = Object.entries(node.attributes).map(([name, value]) => [name, shown(value)]);
    this.panel.replaceChildren(
      make('div', { class: 'kst-title' }, make('b', {}, shown(node.label)), ` ${node.type}`),
      make('div', {}, find, ' ', take),
      grid(['attribute', 'value'], [['id', node.id], ...rows])
    );
  }
}
