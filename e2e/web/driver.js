// What the programs of the OAuth libraries share: one line of JSON out for each thing to do or tell, one line in.
//
//   {"login": URL}    -> where the browser of the test is sent at the end
//   {"relay": TOKENS} -> "yes", once the test has relayed with them
//   {"done": {...}}   what was got, for the test to look at
//   {"error": "..."}  it has failed

import readline from 'node:readline';

const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

export async function login(url) {
  say({ login: String(url) });
  return new URL((await input.next()).value);
}

export async function relay(tokens) {
  say({ relay: tokens });
  if ((await input.next()).value !== 'yes') throw new Error('nobody relayed');
}

export async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.code ?? String(error);
  }
  return 'none';
}

export async function run(work) {
  try {
    say({ done: await work(JSON.parse(process.argv[2])) });
  } catch (error) {
    say({ error: `${error.stack ?? error} ${JSON.stringify(error.cause ?? '')}` });
  }
  process.exit(0);
}
