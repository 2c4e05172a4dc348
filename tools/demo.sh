#!/bin/sh
# Generates a small gallery with the shipped model and a page that shows it. usage: demo.sh SORA MODEL FOLDER
# The page is plain: it opens from disk, asks nothing of a network, and its videos loop.
set -u
sora=$1 model=$2 out=$3
die() { echo "demo: $*" >&2; exit 1; }
[ -x "$sora" ] || die "$sora is not there: the program needs libav, libwebp and cairo (./configure --install-deps)"
[ -e "$model" ] || die "$model is not there"
mkdir -p "$out" || die "cannot make $out"
rm -f "$out"/*.mp4 "$out"/*.png "$out"/*.pgm "$out"/index.html "$out"/items
now() { date +%s.%N; }
since() { now | awk -v a="$1" '{ printf "%.1f", $1 - a }'; }
escape() { printf '%s' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }

n=0
begin=$(now)
make_one() { # size frames seed prompt
    n=$((n + 1))
    w=${1%x*} h=${1#*x}
    if [ "$2" = 1 ]; then ext=png; else ext=mp4; fi
    name=$(printf '%02d.%s' $n $ext)
    printf '%s  %s\n' "$name" "$4"
    t=$(now)
    "$sora" generate --model "$model" -p "$4" -o "$out/$name" --size "$1" --frames "$2" --seed "$3" || die "generation failed"
    [ -s "$out/$name" ] || die "$out/$name was not written"
    t=$(since "$t")
    what="$2 frames"
    [ "$2" = 1 ] && what="image"
    shape=square
    [ "$w" -gt "$h" ] && shape=wide
    [ "$w" -lt "$h" ] && shape=tall
    {
        printf '<figure class="%s">\n' $shape
        if [ $ext = png ]; then
            printf '<img src="%s" width="%s" height="%s" alt="%s">\n' "$name" "$w" "$h" "$(escape "$4")"
        else
            printf '<video src="%s" width="%s" height="%s" autoplay loop muted playsinline controls></video>\n' "$name" "$w" "$h"
        fi
        printf '<figcaption>%s<small>%s &times; %s, %s, seed %s, %s s</small></figcaption>\n</figure>\n' \
            "$(escape "$4")" "$w" "$h" "$what" "$3" "$t"
    } >>"$out/items"
}

# Subject, outfit, action, place and condition, in the manner of the grid of the Sora report.
make_one 128x128 17 1 "an old man wearing purple overalls and cowboy boots taking a pleasant stroll in Johannesburg during a beautiful sunset"
make_one 128x128 17 2 "a woman wearing a green dress and a sun hat taking a pleasant stroll in Mumbai during a colorful festival"
make_one 128x128 17 3 "a toy robot wearing blue jeans and a white t-shirt taking a pleasant stroll in Mumbai during a beautiful sunset"
make_one 128x128 17 4 "an adorable kangaroo wearing purple overalls and cowboy boots taking a pleasant stroll in Antarctica during a winter storm"
make_one 128x128 17 5 "a tiger running in the jungle in the rain"
make_one 128x128 17 6 "a boy wearing blue jeans and a white t-shirt dancing on the beach at night"
make_one 160x96 17 7 "a red car driving in a city during a beautiful sunset"
make_one 96x160 17 8 "a toy robot waving in space"
make_one 128x128 1 9 "a Shiba Inu wearing a beret and a black turtleneck in a snowy village under the northern lights"

# The same model under conditions: what goes in stands left of what comes out.
media() { # file: shown at 128 pixels of height
    case $1 in
    *.png) printf '<img src="%s" height="128" alt="">' "$1" ;;
    *) printf '<video src="%s" height="128" autoplay loop muted playsinline></video>' "$1" ;;
    esac
}
# Under a result stands its timeline: what was given is grey, what was made has the accent.
timeline() { # frames in all, and of what was made its first frame and the one behind its last, ...
    awk 'BEGIN {
        n = ARGV[1]; at = 0; printf "linear-gradient(90deg"
        for (i = 2; i < ARGC; i += 2) {
            a = 100 * ARGV[i] / n; b = 100 * ARGV[i + 1] / n
            printf ",var(--line) %.1f%% %.1f%%,var(--made) %.1f%% %.1f%%", at, a, a, b; at = b
        }
        printf ",var(--line) %.1f%% 100%%)", at
    }' "$@"
}
operate() { # what it does, prompt, timeline, inputs, command and its own options...
    n=$((n + 1))
    what=$1 prompt=$2 line=$(timeline $3) inputs=$4 half=
    shift 4
    [ "$1" = inpaint ] && half=' class="half"'
    name=$(printf '%02d.mp4' $n)
    printf '%s  %s: %s\n' "$name" "$1" "$prompt"
    t=$(now)
    "$sora" "$@" --model "$model" -p "$prompt" -o "$out/$name" --seed $n || die "$1 failed"
    [ -s "$out/$name" ] || die "$out/$name was not written"
    t=$(since "$t")
    {
        case $inputs in *" "*) printf '<figure class="operation pair">\n<div>' ;; *) printf '<figure class="operation">\n<div>' ;; esac
        for i in $inputs; do printf '<p%s>' "$half"; media "$i"; printf '</p>'; done
        printf '<span>&rarr;</span><p>'
        media "$name"
        printf '<i style="background: %s"></i></p></div>\n<figcaption>' "$line"
        printf '%s<small>%s &mdash; sora %s, %s s</small></figcaption>\n</figure>\n' "$(escape "$what")" "$(escape "$prompt")" "$1" "$t"
    } >>"$out/operations"
}
rm -f "$out/operations"
{ printf 'P5 32 32 255\n'; for y in $(seq 32); do printf '%016d' 0 | tr 0 '\000'; printf '%016d' 0 | tr 0 '\377'; done; } >"$out/right-half.pgm"
operate "An image begins to move" "a Shiba Inu waving in a snowy village" "9 1 9" 09.png animate "$out/09.png"
operate "A second before the clip and one behind it" "a tiger running in the jungle in the rain" "33 0 8 25 33" 05.mp4 extend "$out/05.mp4" --before 1 --after 1
operate "The way back to the beginning" "a boy dancing on the beach at night" "25 17 25" 06.mp4 loop "$out/06.mp4"
operate "The same walk elsewhere" "an old man taking a stroll in Antarctica during a snow storm" "17 0 17" 01.mp4 edit "$out/01.mp4"
operate "From one clip into the other" "a toy robot and a kangaroo taking a stroll" "42 17 25" "03.mp4 04.mp4" connect "$out/03.mp4" "$out/04.mp4"
operate "Frames 5 to 10 were lost" "a woman taking a stroll in Mumbai" "17 5 11" 02.mp4 fill "$out/02.mp4" --missing 5-10
operate "Only the right half changes" "a boy dancing on the beach in bright daylight" "17 0 17" 06.mp4 inpaint "$out/06.mp4" --mask "$out/right-half.pgm"

total=$(since "$begin")
cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | sed -n 1p)
{
    cat <<'END'
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>libsora: generated videos</title>
<style>
:root { color-scheme: light dark; --ink: #1d1d1f; --soft: #6e6e73; --card: #fff; --page: #f5f5f7; --line: #d2d2d7; --made: #0071e3 }
@media (prefers-color-scheme: dark) { :root { --ink: #f5f5f7; --soft: #98989d; --card: #1c1c1e; --page: #000; --line: #48484a; --made: #2997ff } }
body { margin: 0 auto; max-width: 1080px; padding: 48px 24px; background: var(--page); color: var(--ink);
       font: 16px/1.45 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif }
h1 { font-size: 40px; letter-spacing: -.02em; margin: 0 }
header p { color: var(--soft); margin: 8px 0 32px; max-width: 60ch }
main { display: grid; gap: 20px; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); align-items: start }
figure { margin: 0; background: var(--card); border-radius: 16px; overflow: hidden }
figure video, figure img { display: block; width: 100%; height: auto }
figure.tall video { width: auto; height: 400px; margin: 0 auto; max-width: 100% }
figcaption { padding: 14px 16px 16px }
.key { color: var(--soft); margin: 0 0 16px } .key b { color: var(--made) }
h2 { font-size: 26px; letter-spacing: -.01em; margin: 48px 0 16px }
figure.operation div { display: flex; align-items: center; gap: 10px; padding: 16px 16px 0; overflow-x: auto }
@media (min-width: 700px) { figure.pair { grid-column: span 2 } } /* two inputs and the result */
figure.operation video, figure.operation img { width: auto; height: 128px; border-radius: 8px }
figure.operation p { margin: 0; position: relative; flex: none }
figure.operation i { display: block; height: 4px; border-radius: 2px; margin-top: 6px }
figure.operation .half::after { content: ""; position: absolute; inset: 0 0 0 50%; border-radius: 0 8px 8px 0;
    background: repeating-linear-gradient(135deg, #fffc 0 6px, #8886 6px 12px) }
figure.operation span { color: var(--soft); font-size: 24px }
small { display: block; color: var(--soft); font-size: 13px; margin-top: 6px; font-variant-numeric: tabular-nums }
footer { color: var(--soft); font-size: 13px; margin-top: 32px }
</style>
</head>
<body>
<header>
<h1>From words to video</h1>
<p>Each clip was made from the sentence below it, on this computer's processor, by the model that comes with libsora.
The times run from the start of the program to the finished file.</p>
</header>
<main>
END
    cat "$out/items"
    printf '</main>\n<h2>From pictures and clips</h2>\n'
    printf '<p class="key">What goes in stands left, what comes out right. The line below it is its time: <b>made</b>, and given.</p>\n<main>\n'
    cat "$out/operations"
    printf '</main>\n<footer>%s clips in %s s on %s with libsora %s.</footer>\n</body>\n</html>\n' \
        $n "$total" "$(escape "${cpu:-an unknown processor}")" "$("$sora" --version 2>/dev/null | awk 'NR == 1 { sub(/,$/, "", $2); print $2 }')"
} >"$out/index.html.new" || die "cannot write $out/index.html"
rm -f "$out/items" "$out/operations"
mv "$out/index.html.new" "$out/index.html" || die "cannot write $out/index.html"
case $out in /*) where=$out ;; *) where=$(pwd)/$out ;; esac
echo "$n clips in $total s. Open $where/index.html"
