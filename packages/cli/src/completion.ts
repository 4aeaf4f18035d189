/** `sluice completion`: what the shell offers after Tab, written from the commands themselves. */
import type { Command } from "commander";

/** The shells that are written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of them. */
export type Shell = (typeof SHELLS)[number];

/** One command, and what may follow it. */
interface Place {
  /** From the top: `/trigger/end`; empty: the top itself. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
  /** What may follow an option, by its long name, or stand as an argument, by the empty text. */
  readonly choices: ReadonlyMap<string, readonly string[]>;
}

interface Word {
  readonly text: string;
  readonly description: string;
}

/** A script that completes the command lines of `program`, to be sourced by the shell. */
export function writeCompletion(program: Command, shell: Shell): string {
  const name = program.name();
  const places = listPlaces(program, "");
  switch (shell) {
    case "bash":
      return writeBash(name, places);
    case "zsh":
      return writeZsh(name, places);
    case "fish":
      return writeFish(name, places);
  }
}

function listPlaces(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const options = help.visibleOptions(command);
  const choices = [
    ...options.map(({ long, argChoices }) => [long ?? "", argChoices ?? []] as const),
    ["", command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? [])] as const,
  ];
  const place: Place = {
    path,
    commands: commands.map((each) => ({ text: each.name(), description: each.description() })),
    options: options.flatMap(({ long, description }) =>
      long === undefined || long === null ? [] : [{ text: long, description }],
    ),
    choices: new Map(choices.filter(([, values]) => values.length > 0)),
  };
  // `help` is made anew for each that has commands, and has none itself.
  return [place, ...commands.flatMap((each) => listPlaces(each, `${path}/${each.name()}`))];
}

/** `case` arms of bash and zsh: where a word leads, and what is offered there. */
function writeArms(places: readonly Place[], offer: (words: string) => string) {
  const paths = places.flatMap(({ path }) => (path === "" ? [] : [path]));
  const values = places.flatMap(({ path, choices }) =>
    [...choices].flatMap(([option, words]) =>
      option === "" ? [] : [`    ${path}:${option}) ${offer(words.join(" "))}; return ;;`],
    ),
  );
  const words = places.map(({ path, commands, options, choices }) => {
    const offered = [...commands, ...options].map(({ text }) => text);
    return `    ${path === "" ? '""' : path}) ${offer([...offered, ...(choices.get("") ?? [])].join(" "))} ;;`;
  });
  return { paths: paths.join("|"), values: values.join("\n"), words: words.join("\n") };
}

function writeBash(name: string, places: readonly Place[]): string {
  const arms = writeArms(places, (words) => `COMPREPLY=($(compgen -W "${words}" -- "$current"))`);
  return `# ${name} completion for bash: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} at="" word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
    ${arms.paths}) at="$at/$word" ;;
    esac
  done
  case "$at:$before" in
${arms.values}
  esac
  case "$at" in
${arms.words}
  esac
}
complete -o default -F _${name} ${name}
`;
}

function writeZsh(name: string, places: readonly Place[]): string {
  const arms = writeArms(places, (words) => `offered=(${words})`);
  const values = arms.values.replaceAll("; return ;;", "; compadd -a offered; return ;;");
  return `#compdef ${name}
# ${name} completion for zsh: source <(${name} completion zsh), or a file _${name} in a folder of $fpath
_${name}() {
  local before=\${words[CURRENT - 1]} at="" word
  local -a offered
  for word in "\${(@)words[2,CURRENT - 1]}"; do
    case "$at/$word" in
    ${arms.paths}) at="$at/$word" ;;
    esac
  done
  case "$at:$before" in
${values}
  esac
  case "$at" in
${arms.words}
  esac
  compadd -a offered || _files
}
compdef _${name} ${name}
`;
}

function writeFish(name: string, places: readonly Place[]): string {
  const quote = (text: string) => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;
  const paths = places.flatMap(({ path }) => (path === "" ? [] : [path]));
  const lines = places.flatMap(({ path, commands, options, choices }) => {
    const there = `complete -c ${name} -n ${quote(`__${name}_at "${path}"`)}`;
    return [
      ...commands.map(({ text, description }) => `${there} -f -a ${text} -d ${quote(description)}`),
      ...options.map(({ text, description }) => {
        const values = choices.get(text);
        const offered = values === undefined ? "" : ` -x -a ${quote(values.join(" "))}`;
        return `${there} -l ${text.replace(/^--/, "")} -d ${quote(description)}${offered}`;
      }),
      ...(choices.get("") ?? []).map((text) => `${there} -f -a ${text}`),
    ];
  });
  return `# ${name} completion for fish: ${name} completion fish | source
function __${name}_at
  set -l at ""
  for word in (commandline -opc)[2..]
    if contains -- "$at/$word" ${paths.join(" ")}
      set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}
