// A table: sorted, searched and paged; further rows come from the kernel while it runs.
import { button, cell, copy, make, number, numeric, shown } from './dom.js';

const PAGE = 20;
const MOST_COPIED = 50000;

export function table(data, ask) {
  if (!data.total) {
    const names = data.columns.length ? ` (${data.columns.join(', ')})` : '';
    return make('p', { class: 'kst-quiet' }, `${data.variable}: empty${names}`);
  }
  return new Table(data, ask).node;
}

class Table {
  constructor(data, ask) {
    this.data = data;
    this.ask = data.total > data.rows.length && data.key ? ask : null;
    this.view = { offset: 0, sort: null, descending: false, search: '' };
    this.numbers = numeric(data.columns, data.rows);
    this.turn = 0;
    this.search = make('input', {
      type: 'search',
      class: 'kst-search',
      placeholder: 'search',
      'aria-label': `search in ${data.variable}`,
      oninput: () => this.show({ search: this.search.value, offset: 0 })
    });
    this.note = make('span', { class: 'kst-note', 'aria-live': 'polite' });
    this.back = button('‹', 'page back', () => this.show({ offset: Math.max(0, this.view.offset - PAGE) }));
    this.next = button('›', 'next page', () => this.show({ offset: this.view.offset + PAGE }));
    this.csv = button('copy CSV', 'copy the rows as CSV', () => this.copied());
    this.warning = make('div', { class: 'kst-warning' });
    this.heads = data.columns.map((name, n) =>
      make('th', { scope: 'col', class: this.numbers[n] ? 'kst-number-cell' : null }, button(shown(name), `sort by ${name}`, () => this.sorted(n), { class: 'kst-head' }))
    );
    this.body = make('tbody');
    const frame = make('table', { class: 'kst-grid' }, make('thead', {}, make('tr', {}, ...this.heads)), this.body);
    const bar = make('div', { class: 'kst-bar' }, this.search, this.note, this.back, this.next, this.csv);
    const small = data.total <= 5 && data.rows.length === data.total;
    this.node = make('div', { class: 'kst-table' }, small ? null : bar, make('div', { class: 'kst-scroll' }, frame), this.warning);
    this.show({});
  }

  sorted(column) {
    const again = this.view.sort === column;
    if (again && this.view.descending) {
      return this.show({ sort: null, descending: false, offset: 0 });
    }
    return this.show({ sort: column, descending: again, offset: 0 });
  }

  async show(change) {
    this.view = { ...this.view, ...change };
    const turn = ++this.turn;
    const { rows, total, whole } = await this.rows(this.view.offset, PAGE);
    if (turn !== this.turn) {
      return;
    }
    this.total = total;
    this.heads.forEach((head, n) => {
      const here = this.view.sort === n;
      head.setAttribute('aria-sort', here ? (this.view.descending ? 'descending' : 'ascending') : 'none');
    });
    this.body.replaceChildren(
      ...rows.map(row => make('tr', {}, ...row.map((value, n) => make('td', { class: this.numbers[n] ? 'kst-number-cell' : null }, cell(value)))))
    );
    const last = Math.min(total, this.view.offset + PAGE);
    const found = this.view.search ? ` of ${number(this.data.total)}` : '';
    this.note.textContent = total ? `${number(this.view.offset + 1)}–${number(last)} of ${number(total)} rows${found ? ` found${found}` : ''}` : 'no row has that';
    this.back.disabled = !this.view.offset;
    this.next.disabled = last >= total;
    this.warning.textContent = whole ? '' : `the first ${number(this.data.rows.length)} of ${number(this.data.total)} rows are kept here; run the cell for the others`;
  }

  // Rows of the view: of the kernel where it has more than the notebook, else of what is here.
  async rows(offset, count) {
    const { sort, descending, search } = this.view;
    const simple = sort === null && !search && offset + count <= this.data.rows.length;
    if (this.ask && !simple) {
      const answer = await this.ask({ key: this.data.key, offset, count, sort, descending, search });
      if (answer && !answer.unknown) {
        return { ...answer, whole: true };
      }
    }
    if (this.ask && simple) {
      return { rows: this.data.rows.slice(offset, offset + count), total: this.data.total, whole: true };
    }
    let rows = this.data.rows;
    if (search) {
      const wanted = search.toLowerCase();
      rows = rows.filter(row => row.some(value => shown(value).toLowerCase().includes(wanted)));
    }
    if (sort !== null) {
      const sign = descending ? -1 : 1;
      rows = [...rows].sort((a, b) => compared(a[sort], b[sort], sign));
    }
    const whole = this.data.rows.length === this.data.total;
    return { rows: rows.slice(offset, offset + count), total: rows.length, whole };
  }

  async copied() {
    const lines = [this.data.columns];
    for (let offset = 0; offset < Math.min(this.total, MOST_COPIED); offset += 1000) {
      lines.push(...(await this.rows(offset, 1000)).rows);
    }
    await copy(lines.map(row => row.map(field).join(',')).join('\r\n') + '\r\n');
    this.csv.textContent = `copied ${number(lines.length - 1)} rows`;
    setTimeout(() => (this.csv.textContent = 'copy CSV'), 2000);
  }
}

// Missing values stand last, whatever the direction.
function compared(a, b, sign) {
  if (a === null || b === null) {
    return a === b ? 0 : a === null ? 1 : -1;
  }
  if (typeof a === 'number' && typeof b === 'number') {
    return sign * (a - b);
  }
  return sign * (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);
}

function field(value) {
  const text = value === null ? '' : Array.isArray(value) ? value.join(', ') : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
