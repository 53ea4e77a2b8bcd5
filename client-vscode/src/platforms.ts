/** The platforms: their names for people, and which of them a file is written for. */

import type { Platform } from "./protocol";

export const TITLES: Readonly<Record<Platform, string>> = {
  cuda: "CUDA",
  hip: "HIP",
  bang: "BANG C",
  vnni: "C + AVX-512",
};

export const PLATFORMS = Object.keys(TITLES) as Platform[];

/** The identifiers of the editor's languages that kernels are written in; VS Code owns the first and the last two. */
export const LANGUAGES: Readonly<Record<string, Platform>> = {
  "cuda-cpp": "cuda",
  hip: "hip",
  bang: "bang",
  cpp: "vnni",
  c: "vnni",
};

const EXTENSIONS: Readonly<Record<string, Platform>> = {
  ".cu": "cuda",
  ".cuh": "cuda",
  ".hip": "hip",
  ".mlu": "bang",
  ".mluh": "bang",
  ".cpp": "vnni",
  ".cc": "vnni",
  ".cxx": "vnni",
  ".c": "vnni",
};

/** What a file is written for, by its extension, else by its language; undefined if it holds no kernels. */
export function platformOf(path: string, language?: string): Platform | undefined {
  const extension = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? "";
  return EXTENSIONS[extension] ?? (language === undefined ? undefined : LANGUAGES[language]);
}

/** Whether a value that came from outside names a platform. */
export function isPlatform(value: unknown): value is Platform {
  return typeof value === "string" && value in TITLES;
}
