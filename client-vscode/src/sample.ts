/** A kernel to try things on: a copy of the one in the extension, which may be edited. */

import * as vscode from "vscode";
import type { Context } from "./context";

const NAME = "gemm_tiled.cu";

export function activate(context: Context): void {
  context.command("xpiler.openSample", async () => {
    const { extensionUri, globalStorageUri } = context.extension;
    const copy = vscode.Uri.joinPath(globalStorageUri, "sample", NAME);
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(extensionUri, "bundled", "libs", "snippets", "cuda", NAME), copy, { overwrite: true });
    await vscode.window.showTextDocument(copy, { preview: false });
  });
}
