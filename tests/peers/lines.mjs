// Talk to the test that started this program: one JSON object a line, each way.
import { createInterface } from 'node:readline';

export const settings = JSON.parse(process.argv[2]);
// Standard output is the conversation's alone; what packages have to remark goes the other way.
console.log = console.info = console.error;

export function say(event, facts = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}

// Answers each line with what `handlers[line.ask]` gives. The program ends with its standard input: it never outlives its test.
export function listen(handlers) {
  const known = { ping: () => ({}), ...handlers };
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const { ask, ...facts } = JSON.parse(line);
    try {
      say('answer', { result: await known[ask](facts) });
    } catch (error) {
      say('answer', { error: error.error ?? error.constructor.name, message: error.message });
    }
  });
  lines.on('close', () => process.exit(0));
  say('ready');
}
