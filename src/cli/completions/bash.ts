// The completion script for bash, from the command table. Needs nothing but bash itself (4.1 on), neither the bash-completion package
// nor any setting. Pure: text out.
import type { CommandDefinition, Completion, OptionDefinition } from "../definition.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../table.ts";

export function bashScript(): string {
  const names = [...COMMANDS.map(({ name }) => name), "help"];
  return SCRIPT.replaceAll("@COMMANDS@", () => names.join(" "))
    .replace("@GLOBAL@", () => longNames(GLOBAL_OPTIONS))
    .replace("@CASES@", () => COMMANDS.map(commandCase).join("\n"));
}

function commandCase(command: CommandDefinition): string {
  const { name, args, options } = command;
  const lines = [
    `    ${name})`,
    `      options="${longNames([...options, ...GLOBAL_OPTIONS])}"`,
    `      case "$asked" in`,
    ...options.filter((option) => option.value !== undefined).map(optionCase),
  ];
  args.forEach((arg, index) => {
    const pattern = arg.repeatable ? "[0-9]*" : String(index);
    lines.push(`        ${pattern}) ${kindOf(arg.complete)} ;;`);
  });
  return [...lines, "      esac ;;"].join("\n");
}

function optionCase(option: OptionDefinition): string {
  const names = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
  // Lists are typed with commas, so what is behind the last one is completed.
  const list = option.value?.includes(",") ? " list=1" : "";
  return `        ${names.join("|")}) ${kindOf(option.complete)}${list} ;;`;
}

/** `none`: a value is wanted that nothing can be offered for. */
function kindOf(complete: Completion | undefined): string {
  if (complete === undefined) return "kind=none";
  return typeof complete === "string" ? `kind=${complete}` : `kind=words words="${complete.join(" ")}"`;
}

function longNames(options: readonly OptionDefinition[]): string {
  return options.map(({ name }) => `--${name}`).join(" ");
}

/**
 * COMP_WORDBREAKS cuts words at "=" and ":", so the pieces are put together again, and what readline doesn't replace is taken off the
 * answers at the end.
 */
const SCRIPT = `# bash completion for fsmon; made by: fsmon completions bash
_fsmon() {
  local -a words_typed=()
  local i piece joined=0
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=\${COMP_WORDS[i]}
    if ((i > 0)) && { [[ $piece == [=:]* ]] || ((joined)); }; then
      words_typed[\${#words_typed[@]}-1]+=$piece
    else
      words_typed+=("$piece")
    fi
    [[ $piece == *[=:] ]] && joined=1 || joined=0
  done
  local current=\${words_typed[\${#words_typed[@]}-1]} piece_typed=\${COMP_WORDS[COMP_CWORD]}
  [[ $piece_typed == [=:]* ]] && piece_typed=\${piece_typed##*[=:]}
  local kept=\${current%"$piece_typed"}

  # What is asked for: a value of the option that is named, else the number of the argument.
  local command= asked= position=0 options="@GLOBAL@" kind= words= list= word
  for ((i = 1; i < \${#words_typed[@]} - 1; i++)); do
    word=\${words_typed[i]}
    if [[ -n $asked ]]; then asked=
    elif [[ -z $command ]]; then [[ $word == -* ]] || command=$word
    elif [[ $word == --*=* ]]; then :
    elif [[ $word == -?* ]]; then
      [[ $word == --* ]] || word=-\${word: -1}
      asked=$word; _fsmon_kind; [[ -n $kind ]] || asked=
      kind= words= list=
    else position=$((position + 1)); fi
  done
  local prefix= wanted=$current
  if [[ -z $asked && $current == --*=* ]]; then
    asked=\${current%%=*} wanted=\${current#*=} prefix=\${current%%=*}=
  elif [[ -z $asked && -n $command && $current != -* ]]; then asked=$position; fi
  _fsmon_kind

  COMPREPLY=()
  if [[ -z $command && $current != -* ]]; then
    kind=words words="@COMMANDS@"
  elif [[ $command == help ]]; then
    kind=words words="@COMMANDS@"
  elif [[ -z $asked || $asked == [0-9]* ]] && [[ $current == -* ]]; then
    kind=words words=$options
  fi
  local IFS=$'\\n' quoted=
  case $kind in
    words)
      if [[ -n $list && $wanted == *,* ]]; then prefix+=\${wanted%,*}, wanted=\${wanted##*,}; fi
      # Event types are accepted in any letter case.
      [[ $words == *[[:lower:]]* ]] || wanted=\${wanted^^}
      mapfile -t COMPREPLY < <(compgen -W "\${words// /$'\\n'}" -- "$wanted")
      [[ -n $list ]] && compopt -o nospace ;;
    # readline itself knows best how names are quoted.
    file) compopt -o default ;;
    directory) compopt -o dirnames ;;
    managed|recorded)
      [[ $kind == recorded ]] && compopt -o default
      [[ $wanted == [\\"\\']* ]] && quoted=\${wanted:0:1} wanted=\${wanted:1}
      while read -r word; do
        # Within quotes a name must not end them: it could bring commands along.
        if [[ $quoted == \\' ]]; then [[ $word == "$wanted"* ]] && COMPREPLY+=("\${word//\\'/\\'\\\\\\'\\'}")
        elif [[ -n $quoted ]]; then
          [[ $word == "$wanted"* ]] && COMPREPLY+=("$(sed 's/[\\\\"$\`]/\\\\&/g' <<<"$word")")
        else
          printf -v piece %q "$word"
          [[ $word == "$wanted"* || $piece == "$wanted"* ]] && COMPREPLY+=("$piece")
        fi
      done < <("\${COMP_WORDS[0]/#\\~/$HOME}" managed --paths 2>/dev/null) ;;
  esac
  # readline replaces only what is behind the last "=" or ":".
  for i in "\${!COMPREPLY[@]}"; do
    piece=$prefix\${COMPREPLY[i]}
    COMPREPLY[i]=\${piece#"$kept"}
  done
}

# The command and what is asked for, in _fsmon's variables -> kind, words, list, options.
_fsmon_kind() {
  case "$command" in
@CASES@
  esac
}
complete -F _fsmon fsmon
`;
