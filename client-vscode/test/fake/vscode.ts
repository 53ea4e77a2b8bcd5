/** The parts of the editor that the tested modules touch, with what they did to it on record. */

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
    readonly query = "",
  ) {}
  static parse(text: string): Uri {
    const [, scheme = "file", path = text] = /^([a-z-]+):(?:\/\/)?(.*)$/.exec(text) ?? [];
    return new Uri(scheme, decodeURIComponent(path));
  }
  static file(path: string): Uri {
    return new Uri("file", path);
  }
  static from({ scheme, path }: { scheme: string; path: string }): Uri {
    return new Uri(scheme, path);
  }
  static joinPath(base: Uri, ...parts: string[]): Uri {
    const kept: string[] = [];
    for (const part of [base.path, ...parts].join("/").split("/")) {
      if (part === "..") kept.pop();
      else if (part) kept.push(part);
    }
    return new Uri(base.scheme, `/${kept.join("/")}`);
  }
  get fsPath(): string {
    return this.path;
  }
  toString(): string {
    return `${this.scheme}:${this.scheme === "file" ? "//" : ""}${encodeURI(this.path)}`;
  }
}

export class EventEmitter<T> {
  private readonly listeners: ((value: T) => void)[] = [];
  readonly event = (listener: (value: T) => void): Disposable => {
    this.listeners.push(listener);
    return new Disposable(() => this.listeners.splice(this.listeners.indexOf(listener), 1));
  };
  fire(value: T): void {
    for (const listener of this.listeners) listener(value);
  }
}

export class Disposable {
  constructor(readonly dispose: () => unknown) {}
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  readonly start: Position;
  readonly end: Position;
  constructor(a: number | Position, b: number | Position, c = 0, d = 0) {
    this.start = a instanceof Position ? a : new Position(a, typeof b === "number" ? b : 0);
    this.end = b instanceof Position ? b : new Position(c, d);
  }
}

export class TreeItem {
  constructor(
    readonly label: string,
    readonly collapsibleState?: number,
  ) {}
}

export const TreeItemCollapsibleState = { None: 0, Collapsed: 1, Expanded: 2 };

export class ThemeIcon {
  constructor(
    readonly id: string,
    readonly color?: ThemeColor,
  ) {}
}

export class ThemeColor {
  constructor(readonly id: string) {}
}

export class MarkdownString {
  value = "";
  appendText(text: string): this {
    this.value += text;
    return this;
  }
}

export class FileSystemError extends Error {
  static FileNotFound(uri: Uri): FileSystemError {
    return Object.assign(new FileSystemError(uri.toString()), { code: "FileNotFound" });
  }
  code = "Unknown";
}

export class TabInputText {
  constructor(readonly uri: Uri) {}
}

export class TabInputTextDiff {
  constructor(
    readonly original: Uri,
    readonly modified: Uri,
  ) {}
}

export class WorkspaceEdit {
  readonly steps: { uri: Uri; text?: string }[] = [];
  createFile(uri: Uri): void {
    this.steps.push({ uri });
  }
  replace(uri: Uri, _range: Range, text: string): void {
    this.steps.push({ uri, text });
  }
}

export const FileType = { File: 1 };
export const FileChangeType = { Changed: 1 };

/** What a test sets up and looks at. */
export const record = {
  settings: {} as Record<string, unknown>,
  trusted: true,
  extensions: {} as Record<string, unknown>,
  /** Answers to questions, in order; what was asked and shown. */
  answers: [] as unknown[],
  asked: [] as unknown[],
  /** Picks of a list, in place of an answer. */
  choose: undefined as ((items: { picked?: boolean }[]) => unknown) | undefined,
  executed: [] as unknown[][],
  files: new Map<string, string>(),
  documents: [] as Document[],
  reset(): void {
    this.settings = {};
    this.trusted = true;
    this.extensions = {};
    this.answers = [];
    this.asked = [];
    this.choose = undefined;
    this.executed = [];
    this.files = new Map();
    this.documents = [];
  },
};

export class Document {
  version = 1;
  isDirty = false;
  constructor(
    readonly uri: Uri,
    private text: string,
    readonly languageId = "cuda-cpp",
  ) {}
  get lineCount(): number {
    return this.text.split("\n").length;
  }
  getText(): string {
    return this.text;
  }
  set(text: string): void {
    this.text = text;
    this.version++;
    this.isDirty = true;
  }
  save(): boolean {
    record.files.set(this.uri.toString(), this.text);
    this.isDirty = false;
    return true;
  }
}

function answer(question: unknown): Promise<unknown> {
  record.asked.push(question);
  return Promise.resolve(record.answers.shift());
}

export const workspace = {
  get isTrusted(): boolean {
    return record.trusted;
  },
  workspaceFolders: undefined,
  get textDocuments(): Document[] {
    return record.documents;
  },
  getConfiguration: (section?: string) => ({
    get: (name: string) => record.settings[section === undefined ? name : `${section}.${name}`],
  }),
  openTextDocument(uri: Uri): Promise<Document> {
    const known = record.documents.find((document) => document.uri.toString() === uri.toString());
    const text = record.files.get(uri.toString());
    if (known) return Promise.resolve(known);
    if (text === undefined) return Promise.reject(new Error(`no file ${uri.toString()}`));
    const document = new Document(uri, text);
    record.documents.push(document);
    return Promise.resolve(document);
  },
  async applyEdit(edit: WorkspaceEdit): Promise<boolean> {
    for (const { uri, text } of edit.steps) {
      if (text === undefined) record.files.set(uri.toString(), record.files.get(uri.toString()) ?? "");
      else (await workspace.openTextDocument(uri)).set(text);
    }
    return true;
  },
  fs: {
    readFile(uri: Uri): Promise<Uint8Array> {
      const text = record.files.get(uri.toString());
      if (text === undefined) return Promise.reject(FileSystemError.FileNotFound(uri));
      return Promise.resolve(new TextEncoder().encode(text));
    },
    stat: (uri: Uri) => workspace.fs.readFile(uri),
  },
  asRelativePath: (uri: Uri) => uri.path.slice(1),
};

export const window = {
  activeTextEditor: undefined,
  visibleTextEditors: [],
  tabGroups: { all: [], activeTabGroup: {}, close: () => Promise.resolve(true) },
  showInputBox: answer,
  showQuickPick: (items: { picked?: boolean }[]) => (record.choose ? Promise.resolve(record.choose(items)) : answer(items)),
  showSaveDialog: answer,
  showWarningMessage: (...question: unknown[]) => answer(question),
  showErrorMessage: (...question: unknown[]) => answer(question),
  showInformationMessage: (...question: unknown[]) => answer(question),
  showTextDocument: (uri: Uri) => {
    record.executed.push(["showTextDocument", uri.toString()]);
    return Promise.resolve();
  },
  withProgress: (_options: unknown, run: (progress: unknown, token: unknown) => unknown) =>
    run({ report: () => undefined }, { isCancellationRequested: false }),
};

export const ProgressLocation = { Notification: 15 };

export const commands = {
  executeCommand: (...command: unknown[]) => {
    record.executed.push(command);
    return Promise.resolve();
  },
};

export const extensions = {
  getExtension: (id: string) => record.extensions[id],
};

export class Location {
  constructor(
    readonly uri: Uri,
    readonly range: Range,
  ) {}
}

export class TestMessage {
  location?: Location;
  constructor(readonly message: string) {}
}

export class TestRunRequest {
  constructor(
    readonly include?: TestItem[],
    readonly exclude?: TestItem[],
  ) {}
}

export const TestRunProfileKind = { Run: 1 };

class Items {
  private readonly map = new Map<string, TestItem>();
  add = (item: TestItem): unknown => this.map.set(item.id, item);
  get = (id: string): TestItem | undefined => this.map.get(id);
  delete = (id: string): unknown => this.map.delete(id);
  forEach = (visit: (item: TestItem) => void): void => {
    for (const item of [...this.map.values()]) visit(item);
  };
  replace = (items: TestItem[]): void => {
    this.map.clear();
    items.forEach(this.add);
  };
}

export class TestItem {
  readonly children = new Items();
  description = "";
  constructor(
    readonly id: string,
    readonly label: string,
    readonly uri: Uri,
  ) {}
}

/** The one controller of a test, and what was told of its items, in order. */
export class TestController {
  static last: TestController;
  readonly items = new Items();
  readonly told: string[] = [];
  run: (request: TestRunRequest, token: unknown) => Promise<void> = () => Promise.resolve();
  constructor() {
    TestController.last = this;
  }
  createTestItem = (id: string, label: string, uri: Uri): TestItem => new TestItem(id, label, uri);
  createRunProfile = (_label: string, _kind: number, run: TestController["run"]): void => {
    this.run = run;
  };
  invalidateTestResults = (item: TestItem): unknown => this.told.push(`${item.label} open`);
  createTestRun(): Record<string, unknown> {
    const tell = (word: string) => (item: TestItem) => this.told.push(`${item.label} ${word}`);
    const ignore = (): void => undefined;
    const outcomes = ["enqueued", "started", "passed", "failed", "errored", "skipped"];
    return { ...Object.fromEntries(outcomes.map((word) => [word, tell(word)])), appendOutput: ignore, end: ignore };
  }
  dispose(): void {
    this.items.replace([]);
  }
}

export const tests = { createTestController: () => new TestController() };
