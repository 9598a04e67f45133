// The looks of results, in the colours of Lab's own theme: they follow light and dark.
import { colours } from './language.js';

const TYPES = {
  process: ['#0072b2', '#56b4e9'],
  file: ['#b37700', '#e69f00'],
  'network-traffic': ['#009e73', '#2ec89b'],
  'ipv4-addr': ['#3b8fc4', '#8fd0f7'],
  'ipv6-addr': ['#3b8fc4', '#8fd0f7'],
  'user-account': ['#b0568f', '#e19cc3'],
  'windows-registry-key': ['#d55e00', '#ff8c42'],
  'domain-name': ['#8a6d00', '#d9bd4a']
};
const LANES = [['#0072b2', '#56b4e9'], ['#b37700', '#e69f00'], ['#009e73', '#2ec89b'], ['#d55e00', '#ff8c42'], ['#b0568f', '#e19cc3'], ['#8a6d00', '#d9bd4a'], ['#3b8fc4', '#8fd0f7'], ['#6e7781', '#a5adb5']];
const DARK = '[data-jp-theme-light="false"]';

const typed = Object.entries(TYPES).map(
  ([type, [light, dark]]) => `
.kst .kst-type-${type} { color: ${light}; fill: ${light} } ${DARK} .kst .kst-type-${type} { color: ${dark}; fill: ${dark} }
.kst .kst-edge-${type} { stroke: ${light} } ${DARK} .kst .kst-edge-${type} { stroke: ${dark} }`
);
const lanes = LANES.map(([light, dark], n) => `.kst .kst-lane-${n} { fill: ${light} } ${DARK} .kst .kst-lane-${n} { fill: ${dark} }`);

export const style = `
.kst { color: var(--jp-content-font-color1); font-family: var(--jp-content-font-family); font-size: var(--jp-code-font-size); padding: 2px 0; overflow: visible; overflow-wrap: anywhere }
.jp-OutputArea-output.kst { min-width: 0 }
.kst svg { font-size: 12px }
.kst svg text { fill: var(--jp-content-font-color1) }
.kst .kst-quiet, .kst svg text.kst-quiet { color: var(--jp-content-font-color2); fill: var(--jp-content-font-color2) }
.kst .kst-bar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin: 2px 0 6px }
.kst .kst-note { color: var(--jp-content-font-color2) }
.kst .kst-search { font: inherit; color: inherit; background: var(--jp-layout-color1); border: 1px solid var(--jp-border-color1); border-radius: 3px; padding: 2px 6px; width: 12em }
.kst .kst-button { font: inherit; color: inherit; background: var(--jp-layout-color2); border: 1px solid var(--jp-border-color1); border-radius: 3px; padding: 1px 7px; cursor: pointer }
.kst .kst-button:disabled { opacity: 0.4; cursor: default }
.kst .kst-head { background: none; border: none; font: inherit; font-weight: bold; color: inherit; padding: 0; cursor: pointer }
.kst th[aria-sort="ascending"] .kst-head::after { content: " ▲" } .kst th[aria-sort="descending"] .kst-head::after { content: " ▼" }
.kst :focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px }
.kst .kst-scroll { overflow: auto; max-height: 640px }
.kst .kst-picture { border: 1px solid var(--jp-border-color2); border-radius: 4px }
.kst table.kst-grid { border-collapse: collapse; margin: 0; table-layout: auto }
.kst table.kst-grid th, .kst table.kst-grid td { text-align: left; vertical-align: top; padding: 3px 12px 3px 6px; max-width: 60em; overflow-wrap: break-word; white-space: pre-wrap; border: none; border-bottom: 1px solid var(--jp-border-color3) }
.kst table.kst-grid th { border-bottom: 1px solid var(--jp-border-color1); white-space: nowrap; position: sticky; top: 0; background: var(--jp-layout-color0) }
.kst table.kst-grid tbody tr:hover { background: var(--jp-layout-color2) }
.kst table.kst-grid .kst-number-cell { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.kst .kst-long .kst-button { padding: 0 4px; margin-left: 4px; font-size: 90% }
.kst .kst-warning { color: var(--jp-warn-color0, inherit); margin-top: 4px }
.kst .kst-card { border: 1px solid var(--jp-border-color2); border-radius: 6px; padding: 8px 12px; width: fit-content; max-width: 100%; box-sizing: border-box; overflow-x: auto }
.kst .kst-summary, .kst .kst-panel, .kst details { overflow-x: auto }
.kst .kst-title { margin-bottom: 4px }
.kst .kst-facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; margin: 4px 0 8px }
.kst .kst-facts dt { color: var(--jp-content-font-color2); font-weight: normal; width: auto; float: none } .kst .kst-facts dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
.kst .kst-meter { display: inline-block; width: 60px; height: 8px; background: var(--jp-layout-color3); border-radius: 2px; vertical-align: middle }
.kst .kst-meter span { display: block; height: 100%; background: #0072b2; border-radius: 2px }
.kst .kst-notice { border-left: 3px solid var(--jp-warn-color1); padding: 1px 8px }
.kst pre, .kst code { font-family: var(--jp-code-font-family); font-size: inherit; background: none; color: inherit; margin: 0; white-space: pre-wrap }
.kst .kst-tree { max-height: 640px; overflow: auto }
.kst .kst-node { cursor: pointer; white-space: nowrap; line-height: 1.55; border-radius: 3px; content-visibility: auto; contain-intrinsic-size: auto 1.55em }
.kst .kst-node:hover { background: var(--jp-layout-color2) }
.kst .kst-twig { display: inline-block; width: 1.2em }
.kst .kst-node.kst-marked .kst-label, .kst .kst-star { font-weight: bold } .kst .kst-star { color: #d55e00 } ${DARK} .kst .kst-star { color: #ff8c42 }
.kst .kst-node.kst-hit { background: var(--jp-search-selected-match-background-color, var(--jp-brand-color3)) }
.kst .kst-detail { color: var(--jp-content-font-color2); display: inline-block; max-width: 60em; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom }
.kst .kst-detail.kst-whole { white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top }
.kst .kst-kind { display: inline-flex; align-items: center; gap: 3px }
.kst .kst-entity { cursor: pointer } .kst .kst-entity rect { fill: var(--jp-layout-color1) } .kst .kst-entity.kst-marked rect { stroke-width: 3 }
.kst .kst-entity.kst-marked text { font-weight: bold } .kst .kst-entity.kst-chosen rect { fill: var(--jp-layout-color3); stroke-width: 4 } .kst .kst-entity.kst-dim { opacity: 0.35 }
.kst .kst-heading { font-weight: bold } .kst .kst-edge { fill: none; stroke: var(--jp-border-color0); stroke-opacity: 0.55 } .kst .kst-edge.kst-lit { stroke: #d55e00; stroke-width: 2; stroke-opacity: 1 }
.kst .kst-panel { margin: 6px 0; } .kst .kst-axis { stroke: var(--jp-border-color1); fill: none }
.kst .kst-timeline { cursor: crosshair; touch-action: none } .kst .kst-bar-mark:hover { opacity: 0.75 }
${typed.join('')}
${lanes.join('\n')}
${colours}
`;
