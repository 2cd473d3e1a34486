# Turns an apt source file, of either format, into deb822 deb-src stanzas for other suites.
#   want     the suites to read, separated by blanks
#   known    the suites that mark an entry as Debian's own, with a blank on both sides
#   deb822   "sources" for the deb822 format, else the one-line format
# What concerns trust is kept (Signed-By and the like), the rest of the options is not.

function stanza(uris, trust) {
	if (uris != "")
		printf "Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n%s\n", uris, want, trust
}

function is_trust(name) {
	return name ~ /^(signed-by|trusted|check-valid-until|check-date|allow-insecure|allow-weak)$/
}

function has_word(words, word) {
	gsub(/[ \t\n]+/, " ", words)
	return index(" " words " ", " " word " ") > 0
}

function is_debian(suites,    word, n, i) {
	n = split(suites, word)
	for (i = 1; i <= n; i++)
		if (index(known, " " word[i] " "))
			return 1
	return 0
}

# Cloud images name a local file that lists the mirrors; deb-src URIs must be the mirrors.
function mirrors(uris,    word, n, i, file, line, list) {
	n = split(uris, word)
	for (i = 1; i <= n; i++) {
		if (sub(/^mirror\+file:(\/\/)?/, "", word[i])) {
			file = word[i]
			while ((getline line <file) > 0)
				if (line !~ /^[ \t]*(#|$)/) {
					sub(/[ \t].*/, "", line)
					list = list " " line
				}
			close(file)
		} else if (word[i] !~ /^(cdrom|mirror)/)
			list = list " " word[i]
	}
	sub(/^ /, "", list)
	return list
}

function end_of_stanza(    name, trust) {
	if (field["enabled"] !~ /^ *(no|false|0)/ && is_debian(field["suites"]) &&
	    has_word(field["components"], "main")) {
		for (name in field)
			if (is_trust(name))
				trust = trust name ":" field[name] "\n"
		stanza(mirrors(field["uris"]), trust)
	}
	for (name in field)
		delete field[name]
}

deb822 == "sources" && /^#/ { next }
deb822 == "sources" && /^[ \t]*$/ { end_of_stanza(); next }
deb822 == "sources" && /^[ \t]/ { field[last] = field[last] "\n" $0; next }
deb822 == "sources" {
	last = tolower(substr($0, 1, index($0, ":") - 1))
	field[last] = substr($0, index($0, ":") + 1)
	next
}

/^[ \t]*deb(-src)?[ \t]/ {
	options = ""
	sub(/[ \t]#.*/, "")
	if (match($0, /\[[^]]*\]/)) {
		options = substr($0, RSTART + 1, RLENGTH - 2)
		$0 = substr($0, 1, RSTART - 1) " " substr($0, RSTART + RLENGTH)
	}
	if (!is_debian($3) || !has_word($0, "main"))
		next
	trust = ""
	n = split(options, option)
	for (i = 1; i <= n; i++) {
		eq = index(option[i], "=")
		if (is_trust(tolower(substr(option[i], 1, eq - 1)))) {
			value = substr(option[i], eq + 1)
			gsub(/,/, " ", value)
			trust = trust substr(option[i], 1, eq - 1) ": " value "\n"
		}
	}
	stanza(mirrors($2), trust)
}

END { if (deb822 == "sources") end_of_stanza() }
