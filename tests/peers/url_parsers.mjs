// What a service on Node may make of request targets: each parser that services use, and what is often done to its result.
import { posix } from 'node:path';
import { parse } from 'node:url';

import { listen } from './lines.mjs';

process.removeAllListeners('warning'); // `url.parse` is deprecated, and used all the same

const PARSERS = [
  (target) => target,
  (target) => new URL(target, 'http://base').pathname,
  (target) => parse(target).pathname,
  (target) => parse(target, false, true).pathname,
];
const STEPS = [
  decodeURIComponent,
  posix.normalize,
  (path) => path.toLowerCase(),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/\/+/g, '/'),
  (path) => path.replace(/\\/g, '/'),
  (path) => path.replace(/\/+$/, ''),
  (path) => new URL(path, 'http://base').pathname,
];

function readings(target) {
  const found = new Set();
  const note = (step, text) => {
    try {
      found.add(step(text) ?? '');
    } catch {
      // This service would answer with an error.
    }
  };
  PARSERS.forEach((parser) => note(parser, target));
  for (let round = 0; round < 2; round += 1) [...found].forEach((text) => STEPS.forEach((step) => note(step, text)));
  return [...found];
}

listen({ read: ({ targets }) => targets.map(readings) });
