// Waiting for states, never for times: a busy machine is as good as a quiet one, only later.

const PATIENCE = Number(process.env.E2E_PATIENCE ?? 1); // how many times as long as usual a very busy machine may take
/** How long a gesture has to show before it is made again, in milliseconds. */
export const SOON = 10_000 * PATIENCE;
export const SHORT = 60_000 * PATIENCE;
/** For what waits for the extension host, the server or a compiler. */
export const LONG = 240_000 * PATIENCE;

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until a condition holds. */
export async function until(condition, what, timeout = SHORT) {
  const start = Date.now();
  for (;;) {
    if (await condition()) return;
    if (Date.now() - start > timeout) throw new Error(`Waited in vain: ${what}`);
    await sleep(100);
  }
}

/** Whether a locator comes into a state before long. */
export function soon(locator, state = "visible", timeout = SOON) {
  return locator.waitFor({ state, timeout }).then(() => true, () => false);
}
