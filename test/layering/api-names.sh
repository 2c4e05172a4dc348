#!/bin/sh
# The functions that the public headers declare, one a line, sorted. usage: api-names.sh HEADER...
LC_ALL=C awk '
    { line = line " " $0 }
    END {
        while (match(line, /\/\*([^*]|\*+[^*\/])*\*+\//)) line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + RLENGTH)
        n = split(line, decl, ";")
        for (i = 1; i <= n; i++) {
            d = decl[i]
            if (!match(d, /SORA_API[ \t]/) || d ~ /define[ \t]+SORA_API[ \t][^;]*$/ && d !~ /SORA_API.*SORA_API.*sora_/) continue
            while (match(d, /SORA_API[ \t]/)) d = substr(d, RSTART + RLENGTH)
            if (match(d, /sora_[a-z0-9_]*[ \t]*\(/)) {
                name = substr(d, RSTART, RLENGTH)
                sub(/[ \t]*\(/, "", name)
                print name
            }
        }
    }' "$@" | LC_ALL=C sort -u
