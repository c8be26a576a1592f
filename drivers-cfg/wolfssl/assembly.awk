# SPDX-License-Identifier: BSD-3-Clause
#
# Reads x86-64 assembly in AT&T syntax, as wolfSSL's scripts write it, and writes it again with
# - a vzeroupper before each return of a function that uses ymm registers, unless there is one:
#   without it all legacy SSE code afterwards waits for the upper halves; SHA-NI's SHA-256 crawls;
# - each global symbol hidden, as -fvisibility=hidden does for C.

function hidden(globl) {
	sub(/\.globl/, ".hidden", globl)
	return globl
}

function write_function(   i, previous) {
	for (i = 1; i <= n; i++) {
		if (ymm && line[i] ~ /^[ \t]*(repz[ \t]+)?retq?[ \t]*$/ && previous !~ /vzeroupper/)
			print "        vzeroupper"
		print line[i]
		if (line[i] ~ /^[ \t]*\.globl[ \t]/)
			print hidden(line[i])
		if (line[i] !~ /^[ \t]*(#.*)?$/)
			previous = line[i]
	}
	n = 0
	ymm = 0
}

{ line[++n] = $0 }
/%ymm[0-9]/ { ymm = 1 }
/^[ \t]*\.size[ \t]/ { write_function() }
END { write_function() }
