// Kestrel in JupyterLab and Notebook: the colours of hunts, and the drawing of their results.
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { description, explanation, info, notice, summary, words } from './cards.js';
import { chart } from './chart.js';
import { make } from './dom.js';
import { graph } from './graph.js';
import { support } from './language.js';
import { style } from './style.js';
import { table } from './table.js';
import { timeline } from './timeline.js';
import { tree } from './tree.js';

const DATA = 'application/vnd.kestrel.v1+json';
const PATIENCE = 5000;
const DRAWN = { table, info, description, explanation, summary, notice, error: words, text: words, tree, graph, timeline, chart };

async function unpacked(data) {
  if (!data.packed) {
    return data;
  }
  const bytes = Uint8Array.from(atob(data.packed), sign => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).json();
}

// The kernel of the notebook or console that shows a node, if it has one.
function kernelOf(app, node) {
  for (const area of ['main', 'left', 'right', 'down']) {
    for (const widget of app.shell.widgets(area)) {
      if (widget.node.contains(node)) {
        return (widget.sessionContext || widget.context?.sessionContext)?.session?.kernel ?? null;
      }
    }
  }
  return null;
}

// Ask the kernel for rows; null where it does not answer.
function asking(app, node) {
  return question =>
    new Promise(resolve => {
      const kernel = kernelOf(app, node);
      if (!kernel || kernel.connectionStatus !== 'connected') {
        resolve(null);
        return;
      }
      const comm = kernel.createComm('kestrel.page');
      const timer = setTimeout(() => resolve(null), PATIENCE);
      comm.onMsg = message => {
        clearTimeout(timer);
        resolve(message.content.data);
      };
      comm.open(question);
    });
}

class Result extends Widget {
  constructor(app) {
    super();
    this.app = app;
    this.addClass('kst');
    this.node.dataset.lmSuppressShortcuts = 'true';
    this.node.addEventListener('keydown', event => event.target.matches('input, button') && event.stopPropagation());
  }

  async renderModel(model) {
    const data = await unpacked(model.data[DATA]);
    const draw = DRAWN[data.kind];
    const drawn = draw ? draw(data, asking(this.app, this.node)) : make('pre', {}, `a result of a newer Kestrel: ${data.kind}`);
    this.node.replaceChildren(drawn);
    this.node.dataset.kind = data.kind;
  }
}

export default {
  id: 'kestrel-hunt:plugin',
  description: 'The colours of hunts and the drawing of their results.',
  autoStart: true,
  requires: [IEditorLanguageRegistry, IRenderMimeRegistry],
  activate: (app, languages, rendermime) => {
    document.head.append(make('style', { id: 'kestrel-style' }, style));
    languages.addLanguage({ name: 'kestrel', displayName: 'Kestrel', mime: 'text/x-kestrel', extensions: ['hf'], support });
    rendermime.addFactory({ safe: true, mimeTypes: [DATA], createRenderer: () => new Result(app) }, 0);
    app.docRegistry?.addFileType({
      name: 'kestrel-hunt',
      displayName: 'Kestrel hunt',
      extensions: ['.hf'],
      mimeTypes: ['text/x-kestrel'],
      contentType: 'file',
      fileFormat: 'text'
    });
  }
};
