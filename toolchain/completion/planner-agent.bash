#!/bin/bash
# Completion of planner-agent in bash: source this file, or put it down as
# /usr/share/bash-completion/completions/planner-agent.
#
# Commands, options and names of files are those that the program itself prints; ids are those of the
# actions that are pending. Whatever the program prints, a word is offered only where it is
# made of characters that mean nothing to a shell.

# _planner_agent_offer WORD...: those that go on from what is typed.
_planner_agent_offer()
{
	local word
	for word; do
		[[ $word == "$typed"* ]] && COMPREPLY+=("$word")
	done
	return 0
}

# Reads stdin: offers from each line what the first group of the pattern matches.
_planner_agent_lines()
{
	local line
	while IFS= read -r line; do
		[[ $line =~ $1 ]] && _planner_agent_offer "${BASH_REMATCH[1]}"
	done
	return 0
}

_planner_agent_files()
{
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "$typed")
}

# What the option before the cursor takes; fails where it takes nothing.
_planner_agent_value()
{
	case $1 in
	--runtime | --root) _planner_agent_files -d ;;
	--env-file | --binary) _planner_agent_files -f ;;
	--init) _planner_agent_lines '^([a-z0-9]+) +/etc/' < <("$program" service 2>/dev/null) ;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$typed") ;;
	--severity) _planner_agent_offer info warning error critical ;;
	--schema) _planner_agent_offer proposal none ;;
	*) [[ $help =~ (^|$'\n')"  $1 "[A-Z]+' ' ]] ;;
	esac
}

_planner_agent()
{
	local program=${1/#\~/$HOME} typed=$2 command=${COMP_WORDS[1]} before='' help word
	local tree=()

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_planner_agent_lines '^  ([a-z]+) ' < <("$program" --help 2>/dev/null)
		return
	fi
	# Where the tree is, and the word before the one that is typed; "=" is a word of its own.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == = ]] && continue
		if [[ $before =~ ^--(runtime|env-file)$ && $word =~ ^~?[A-Za-z0-9._/+@:-]+$ ]]; then
			tree+=("$before" "${word/#\~/$HOME}")
		fi
		before=$word
	done
	[[ $typed == = ]] && typed=''
	help=$("$program" "$command" --help 2>/dev/null)
	if [[ $before == --* ]] && _planner_agent_value "$before"; then
		return
	fi
	if [[ $typed == -* ]]; then
		_planner_agent_lines '^  (--[a-z-]+)( |$)' <<<"$help"
		return
	fi
	case $command in
	approve | reject | show)
		_planner_agent_lines '^ *\{"action_id":"([A-Za-z0-9_][A-Za-z0-9._-]*)"' \
			< <("$program" pending --json "${tree[@]}" 2>/dev/null)
		;;
	replay) _planner_agent_files -f ;;
	service)
		_planner_agent_offer install uninstall
		_planner_agent_lines '^([a-z0-9][a-z0-9./-]*)  ' < <("$program" service 2>/dev/null)
		;;
	esac
}

complete -F _planner_agent planner-agent
