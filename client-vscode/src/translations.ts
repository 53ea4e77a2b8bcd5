/** The list of translations that were neither accepted nor discarded: each can be, whatever editor shows it. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { TITLES } from "./platforms";
import type { Preview, Previews } from "./preview";
import type { Verdict } from "./verdict";

const ICONS: Readonly<Record<Verdict["state"], readonly [icon: string, color: string]>> = {
  verified: ["verified-filled", "testing.iconPassed"],
  unverified: ["error", "testing.iconFailed"],
  edited: ["warning", "list.warningForeground"],
  stale: ["warning", "list.warningForeground"],
  unknown: ["question", "list.warningForeground"],
};

export class TranslationsView implements vscode.TreeDataProvider<Preview> {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly previews: Previews) {}

  refresh(): void {
    this.changed.fire(undefined);
  }

  getChildren(parent?: Preview): Preview[] {
    return parent === undefined ? this.previews.all() : [];
  }

  getTreeItem(preview: Preview): vscode.TreeItem {
    const name = preview.result.fileName.replace(/^.*[\\/]/, "");
    const source = preview.source.path.replace(/^.*\//, "");
    const { state, words } = this.previews.verdictOf(preview);
    const [icon, color] = ICONS[state];
    const item = new vscode.TreeItem(name);
    item.id = preview.uri.toString();
    item.description = `${state} · ${TITLES[preview.result.to]} from ${source}`;
    item.tooltip = words;
    item.iconPath = new vscode.ThemeIcon(icon, new vscode.ThemeColor(color));
    item.contextValue = state === "verified" ? "translation" : "translation.open";
    item.accessibilityInformation = { label: `${name} from ${source}, ${words}` };
    item.command = { command: "xpiler.preview.open", title: "Open Translation", arguments: [preview.uri] };
    return item;
  }
}

export function activate(context: Context, previews: Previews): void {
  const view = new TranslationsView(previews);
  const tree = vscode.window.createTreeView("xpiler.translations", { treeDataProvider: view });
  context.push(
    tree,
    previews.onDidChange(() => {
      void vscode.commands.executeCommand("setContext", "xpiler.hasTranslations", previews.all().length > 0);
      view.refresh();
    }),
  );
}
