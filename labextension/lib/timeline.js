// Records over time, a lane for each kind of event: drag over a part of it to see that part.
import { button, draw, grid, make, number, seconds, shown } from './dom.js';

const LEFT = 190;
const RIGHT = 860;
const ROW = 34;
const LISTED = 50;
const BARS = 160;
const STEPS = [1, 5, 15, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000];

export function timeline(data) {
  return data.total ? new Timeline(data).node : make('p', { class: 'kst-quiet' }, `${data.variable}: no record has a time`);
}

class Timeline {
  constructor(data) {
    this.data = data;
    this.first = Date.parse(data.first);
    this.last = Math.max(Date.parse(data.last), this.first + 1);
    this.whole = data.moments.length === data.total;
    this.times = data.moments.map(m => Date.parse(m.time));
    // If not every record is available, times within one of the equal intervals are unknown.
    this.part = this.whole ? 1 : (this.last - this.first) / data.parts;
    this.off = new Set();
    this.picture = draw('svg', { class: 'kst-timeline', role: 'img', width: 920 });
    this.note = make('span', { class: 'kst-note', 'aria-live': 'polite' });
    this.list = make('div');
    const kinds = data.lanes.map((lane, n) => {
      const box = make('input', { type: 'checkbox', checked: true, onchange: () => this.kind(n, box.checked) });
      return make('label', { class: 'kst-kind' }, box, ` ${lane.name} (${number(lane.records)})`);
    });
    const bar = make(
      'div',
      { class: 'kst-bar' },
      button('‹', 'earlier', () => this.move(-0.5)),
      button('›', 'later', () => this.move(0.5)),
      button('+', 'closer', () => this.zoom(0.5)),
      button('−', 'further', () => this.zoom(2)),
      button('all', 'the whole time', () => this.show(this.first, this.last)),
      this.note
    );
    this.drag();
    const records = make('details', { ontoggle: () => this.listed() }, make('summary', {}, 'records of this part'), this.list);
    this.records = records;
    this.node = make('div', {}, bar, make('div', { class: 'kst-bar' }, ...kinds), make('div', { class: 'kst-scroll' }, this.picture), records);
    this.show(this.first, this.last);
  }

  // The visible range: to the millisecond if every record is available; else whole intervals, the same number in each bar.
  view(from, to) {
    const parts = Math.max(1, Math.round((this.last - this.first) / this.part));
    const wanted = Math.min(Math.max(Math.round((to - from) / this.part), this.whole ? 20 : 1), parts);
    const each = this.whole ? 1 : Math.ceil(wanted / BARS);
    const seen = this.whole ? wanted : Math.min(Math.ceil(wanted / each) * each, parts);
    const start = Math.min(Math.max(Math.round((from - this.first) / this.part), 0), parts - seen);
    this.from = this.first + start * this.part;
    this.to = this.first + (start + seen) * this.part;
    this.bars = this.whole ? Math.min(BARS, seen) : Math.ceil(seen / each);
  }

  kind(lane, on) {
    on ? this.off.delete(lane) : this.off.add(lane);
    this.show(this.from, this.to);
  }

  move(share) {
    const by = Math.sign(share) * Math.max((this.to - this.from) * Math.abs(share), this.part);
    this.show(this.from + by, this.to + by);
  }

  zoom(factor) {
    const middle = (this.from + this.to) / 2;
    const half = ((this.to - this.from) / 2) * factor;
    this.show(middle - half, middle + half);
  }

  show(from, to) {
    this.view(from, to);
    const length = this.to - this.from;
    const lanes = this.data.lanes.map((lane, n) => [lane, n]).filter(([, n]) => !this.off.has(n));
    const height = 14 + lanes.length * ROW + 30;
    const parts = [draw('title', {}, `timeline of ${this.data.variable}: ${this.data.total} records`)];
    let inside = 0;
    lanes.forEach(([lane, n], row) => {
      const base = 14 + (row + 1) * ROW;
      parts.push(
        draw('text', { x: LEFT - 10, y: base - 8, 'text-anchor': 'end' }, shown(lane.name)),
        draw('path', { class: 'kst-axis', d: `M${LEFT} ${base}H${RIGHT}` })
      );
      const counts = this.counts(n);
      const sum = counts.reduce((a, b) => a + b, 0);
      inside += sum;
      const most = Math.max(1, ...counts);
      const step = (RIGHT - LEFT) / counts.length;
      counts.forEach((count, place) => {
        if (count) {
          const high = 4 + (22 * Math.log1p(count)) / Math.log1p(most);
          const start = new Date(this.from + (place / counts.length) * length).toISOString();
          const told = `${lane.name}: ${number(count)} about ${seconds(start)}`;
          parts.push(draw('rect', { class: `kst-lane-${n % 8}`, x: LEFT + place * step, y: base - high, width: Math.max(1, step - 0.5), height: high }, draw('title', {}, told)));
        }
      });
      parts.push(draw('text', { x: RIGHT + 8, y: base - 8, class: 'kst-quiet' }, number(sum)));
    });
    parts.push(...this.axis(height - 26));
    this.picture.setAttribute('height', height);
    this.picture.setAttribute('viewBox', `0 0 920 ${height}`);
    this.picture.replaceChildren(...parts);
    this.picture.setAttribute('aria-label', `${inside} records from ${this.iso(this.from)} to ${this.iso(this.to)}`);
    this.note.textContent = `${number(inside)} of ${number(this.data.total)} records, ${this.iso(this.from)} to ${this.iso(this.to)}`;
    this.listed();
  }

  iso(time) {
    return seconds(new Date(time).toISOString());
  }

  // Counts of a lane in the part that is seen: from single records where all are here, else from the equal parts.
  counts(lane) {
    const bins = new Array(this.bars).fill(0);
    const put = (time, count) => {
      const place = Math.floor(((time - this.from) / (this.to - this.from)) * this.bars);
      if (time >= this.from && time <= this.to) {
        bins[Math.min(this.bars - 1, place)] += count;
      }
    };
    if (this.whole) {
      this.data.moments.forEach((moment, n) => moment.lane === lane && put(this.times[n], 1));
    } else {
      this.data.lanes[lane].parts.forEach(([part, count]) => put(this.first + (part + 0.5) * this.part, count));
    }
    return bins;
  }

  axis(y) {
    const whole = (this.to - this.from) / 1000;
    const step = (STEPS.find(s => whole / s <= 7) || STEPS.at(-1)) * 1000;
    const parts = [];
    let day = '';
    for (let time = Math.ceil(this.from / step) * step; time <= this.to; time += step) {
      const iso = new Date(time).toISOString();
      const x = LEFT + ((time - this.from) / (this.to - this.from)) * (RIGHT - LEFT);
      const clock = step < 60000 ? iso.slice(11, 19) : iso.slice(11, 16);
      const name = step >= 86400000 ? iso.slice(0, 10) : iso.slice(0, 10) === day ? clock : `${iso.slice(5, 10)} ${clock}`;
      day = iso.slice(0, 10);
      parts.push(draw('path', { class: 'kst-axis', d: `M${x} ${y}V${y + 5}` }), draw('text', { x, y: y + 18, class: 'kst-quiet', 'text-anchor': 'middle' }, name));
    }
    return parts;
  }

  // The part between where the mouse is pressed and where it is let go.
  drag() {
    const at = event => {
      const box = this.picture.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 920;
      return this.from + (Math.min(Math.max(x, LEFT), RIGHT) - LEFT) / (RIGHT - LEFT) * (this.to - this.from);
    };
    this.picture.addEventListener('pointerdown', event => {
      this.pressed = at(event);
      this.picture.setPointerCapture(event.pointerId);
    });
    this.picture.addEventListener('pointerup', event => {
      const [from, to] = [this.pressed, at(event)].sort((a, b) => a - b);
      if (to - from > (this.to - this.from) / 100) {
        this.show(from, to);
      }
    });
  }

  listed() {
    if (!this.records.open) {
      return;
    }
    const seen = this.data.moments.filter((m, n) => this.times[n] >= this.from && this.times[n] <= this.to && !this.off.has(m.lane));
    const rows = seen.slice(0, LISTED).map(m => [m.time, this.data.lanes[m.lane].name, m.label, m.detail]);
    const more = seen.length > LISTED ? make('div', { class: 'kst-quiet' }, `${number(seen.length - LISTED)} more here: come closer to see them`) : '';
    const kept = this.whole ? '' : make('div', { class: 'kst-warning' }, `only the first ${number(this.data.moments.length)} records are listed one by one`);
    this.list.replaceChildren(grid(['time', 'kind', 'entity', ''], rows), more, kept);
  }
}
