// A window of the workbench, and what a user does in it. Gestures that a busy window may swallow are made again.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LONG, SOON, soon, until } from "./waiting.mjs";

/** The window of one story. */
export class Workbench {
  constructor(host, page, workspace) {
    Object.assign(this, { host, page, workspace });
  }

  /** The processes of the extension. */
  processes() {
    return this.host.processes();
  }

  /** Changes settings and reloads the window, as a user who comes back the next day. */
  async reopen(changes) {
    this.host.writeSettings(changes);
    await this.page.reload({ timeout: LONG });
    await this.page.locator(".monaco-workbench").waitFor({ timeout: LONG });
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
    await until(async () => {
      if (!(await this.page.locator(".explorer-folders-view").isVisible())) await this.showExplorer();
      await file.dblclick({ timeout: SOON }).catch(() => undefined); // an explorer that is still filling moves its rows
      return soon(this.tab(name));
    }, `${name} is open`, LONG);
    await this.page.locator(".editor-instance .view-line").first().waitFor({ timeout: LONG });
  }

  /** Selects files in the Explorer; the last of them. */
  async selectFiles(...names) {
    const file = (name) => this.page.getByRole("treeitem", { name, exact: true });
    const [first, ...others] = names;
    await until(async () => {
      await file(first).click({ timeout: LONG });
      await this.tab(first).waitFor({ timeout: LONG }); // the Explorer selects what comes into the editor
      for (const name of others) await file(name).click({ modifiers: ["Control"] });
      const selected = await Promise.all(names.map((name) => file(name).getAttribute("aria-selected")));
      return selected.every((value) => value === "true");
    }, `${names.join(", ")} are selected`, LONG);
    return file(names.at(-1));
  }

  /** As openFile, by its name alone. */
  async quickOpen(name) {
    await this.choose("Control+p", name, new RegExp(`^${name.replace(".", "\\.")}`));
    await this.tab(name).waitFor();
    await this.page.locator(".editor-instance .view-line").first().waitFor({ timeout: LONG });
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
    await until(async () => {
      await target.click({ button: "right", position: { x: 60, y: 8 } });
      if (await soon(item)) return true;
      await this.page.keyboard.press("Escape"); // a menu from before the extension was there
      return false;
    }, `the menu's ${name}`, LONG);
    await until(async () => {
      await item.click({ timeout: SOON }).catch(() => undefined); // a menu takes no clicks in its first moments
      return soon(item, "hidden", 2000);
    }, `that ${name} was chosen`);
  }

  /** A picture once nothing moves any more: two in a row that are the same. What spins does not stop. */
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
    const brief = { timeout: SOON };
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
      if (await soon(fix)) return true;
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
      if (await button.isVisible()) await button.click({ timeout: SOON }).catch(() => undefined);
      return done();
    }, "the file on disk", LONG);
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
    await until(async () => {
      try {
        await this.page.mouse.move(700, 600); // words about another button may lie over the row
        await row.hover({ timeout: SOON });
        await row.getByRole("button", { name }).click({ timeout: SOON });
        return true;
      } catch {
        return false; // the row moved, or was drawn anew
      }
    }, `the button ${name}`, LONG);
    await this.page.mouse.move(700, 600);
  }

  /** Rests the mouse on a place until words about it are shown; where the place is then. */
  async hover(place, words) {
    const shown = this.page.locator(".monaco-hover:visible", { hasText: words }).first();
    let at;
    await until(async () => {
      await this.page.mouse.move(10, 880);
      const box = await place.boundingBox(); // lenses above it may have moved it
      if (box === null) return false;
      at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
      await this.page.mouse.move(at.x, at.y, { steps: 5 });
      return soon(shown);
    }, `the hover with ${words}`, LONG);
    return at;
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
