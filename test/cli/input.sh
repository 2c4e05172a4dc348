#!/bin/bash
# Videos and pictures of many kinds go through every command: those that the program writes itself, those that ffmpeg makes where there is one
# (FFMPEG names it), and the real ones of the folder REAL_CLIPS, see docs/input.md. With the tiny model: nothing must fail, and time must be right.
. test/tiny/common.sh

common="--model $model --steps 1 --quiet --size 32x32 -p cat"
frames() { find "$1" -name '*.png' 2>/dev/null | wc -l; }
through() { # name, file: all commands; what they say when they fail is shown
    local c bad=0 file=$2
    for c in "animate $file --seconds 0.5" "extend $file --before 0.25 --after 0.25" "loop $file --seconds 0.5" "edit $file" \
        "connect $file $file --seconds 0.5" "fill $file --missing 0" "inpaint $file --mask $file"; do
        rm -rf "$tmp/made"
        # A picture has no frame that could be missing.
        case $c in fill*) [ "$(run edit $file $common --strength 0 -o "$tmp/count" && frames "$tmp/count")" -gt 1 ] || continue ;; esac
        run $c $common -o "$tmp/made" && [ "$(frames "$tmp/made")" -ge 1 ] || { bad=1; break; }
        rm -rf "$tmp/count"
    done
    rm -rf "$tmp/count" "$tmp/made"
    ok "$1: ${c%% *}" $bad
}
seconds() { # what, file, wanted frames at 8 a second
    rm -rf "$tmp/made"
    run edit "$2" $common --strength 0 -o "$tmp/made" && [ "$(frames "$tmp/made")" = "$3" ]
    ok "$1 is as long as it was" $?
}

for kind in a.mp4 odd.mp4 a.webm a.gif a.y4m; do
    size=48x32
    [ $kind = odd.mp4 ] && size=37x53
    run generate --model "$model" -p cat --steps 1 --quiet --size $size --frames 9 --fps 12 -o "$tmp/$kind"
    through "$kind" "$tmp/$kind"
    seconds "$kind" "$tmp/$kind" 6
done
# A file of 24 a second, made longer by a quarter second on both sides: at its own rate all its 12 frames are there, between 6 made ones.
run generate --model "$model" -p cat --steps 1 --quiet --size 32x32 --frames 12 --fps 24 -o "$tmp/fast.y4m"
run edit "$tmp/fast.y4m" $common --strength 0 --fps 24 -o "$tmp/all" && [ "$(frames "$tmp/all")" = 12 ]; ok "a fast clip" $?
run extend "$tmp/fast.y4m" $common --before 0.25 --after 0.25 --own-rate -o "$tmp/slow" && [ "$(frames "$tmp/slow")" = 24 ]
ok "extended at its own rate" $?
bad=0
half_mask >"$tmp/half.pgm"
nth() { find "$1" -name '*.png' | sort | sed -n "$(($2 + 1))p"; }
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do cmp -s "$(nth "$tmp/all" $i)" "$(nth "$tmp/slow" $((i + 6)))" || bad=1; done
ok "with all its own frames" $bad
cmp -s "$(nth "$tmp/slow" 0)" "$(nth "$tmp/slow" 2)" && ! cmp -s "$(nth "$tmp/slow" 2)" "$(nth "$tmp/slow" 3)"; ok "made frames are held" $?
run fill "$tmp/fast.y4m" $common --missing 1-2 --own-rate -o "$tmp/filled" && [ "$(frames "$tmp/filled")" = 12 ] &&
    cmp -s "$(nth "$tmp/all" 2)" "$(nth "$tmp/filled" 2)" && ! cmp -s "$(nth "$tmp/all" 4)" "$(nth "$tmp/filled" 4)" && cmp -s "$(nth "$tmp/all" 9)" "$(nth "$tmp/filled" 9)"
ok "filled at its own rate" $?
run inpaint "$tmp/fast.y4m" $common --mask "$tmp/half.pgm" --own-rate -o "$tmp/masked" && [ "$(frames "$tmp/masked")" = 12 ] &&
    ! cmp -s "$(nth "$tmp/all" 4)" "$(nth "$tmp/masked" 4)"; ok "inpainted at its own rate" $?
run connect "$tmp/fast.y4m" "$tmp/fast.y4m" $common --seconds 0.25 --own-rate -o "$tmp/joined" && [ "$(frames "$tmp/joined")" = 30 ] &&
    cmp -s "$(nth "$tmp/all" 7)" "$(nth "$tmp/joined" 25)"; ok "connected at its own rate" $?
run generate --model "$model" -p cat --steps 1 --quiet --size 51x33 --frames 1 -o "$tmp/one.png"
through "a picture" "$tmp/one.png"

ffmpeg=${FFMPEG:-$(command -v ffmpeg)}
if [ -x "$ffmpeg" ]; then
    make() { "$ffmpeg" -y -v error -f lavfi -i "testsrc2=size=${size:-64x48}:rate=30:duration=1" "$@" 2>"$tmp/err" </dev/null; }
    make -vf "select='not(mod(n\,7))+gt(n\,20)'" -fps_mode vfr "$tmp/vfr.mkv" 2>/dev/null || make -vf "select='not(mod(n\,7))+gt(n\,20)'" -vsync vfr "$tmp/vfr.mkv"
    through "unequal frames" "$tmp/vfr.mkv"; seconds "unequal frames" "$tmp/vfr.mkv" 8
    make "$tmp/flat.mp4" && "$ffmpeg" -y -v error -display_rotation 90 -i "$tmp/flat.mp4" -c copy "$tmp/turned.mp4" 2>/dev/null ||
        "$ffmpeg" -y -v error -i "$tmp/flat.mp4" -c copy -metadata:s:v rotate=90 "$tmp/turned.mp4"
    through "turned" "$tmp/turned.mp4"; seconds "turned" "$tmp/turned.mp4" 8
    size=63x41 make -pix_fmt yuv444p "$tmp/odd.mkv"; through "odd sides" "$tmp/odd.mkv"
    make -vf format=rgba,colorchannelmixer=aa=0.5 -c:v qtrle "$tmp/alpha.mov"; through "transparent" "$tmp/alpha.mov"
    make -vf format=rgba,colorchannelmixer=aa=0.5 -frames:v 1 "$tmp/alpha.png"; through "a transparent picture" "$tmp/alpha.png"
    for trc in smpte2084 arib-std-b67; do
        make -pix_fmt yuv420p10le -c:v libx264 -x264-params "colorprim=bt2020:transfer=$trc:colormatrix=bt2020nc" "$tmp/$trc.mp4"
        through "HDR $trc" "$tmp/$trc.mp4"; seconds "HDR $trc" "$tmp/$trc.mp4" 8
    done
    make -vf setsar=4/3 "$tmp/wide.mp4"; through "pixels that are not square" "$tmp/wide.mp4"
    make -vf tinterlace=interleave_top -flags +ildct -c:v mpeg2video "$tmp/lines.mpg"; through "interlaced" "$tmp/lines.mpg"
    make -pix_fmt gray -c:v ffv1 "$tmp/gray.mkv"; through "grey" "$tmp/gray.mkv"
    make -r 24000/1001 -frames:v 24 "$tmp/film.mp4"; seconds "24000/1001 a second" "$tmp/film.mp4" 8
    make -f lavfi -i sine -shortest "$tmp/sound.mp4"; through "with sound" "$tmp/sound.mp4"
    "$ffmpeg" -y -v error -f lavfi -i sine -t 1 "$tmp/sound.wav"; refused "only sound" 1 edit "$tmp/sound.wav" $common -o "$tmp/no"
else
    echo "SKIP files that ffmpeg makes: it is not there"
fi

if [ -d "${REAL_CLIPS:-}" ]; then
    while IFS= read -r file; do through "${file##*/}" "$file"; done < <(find "$REAL_CLIPS" -type f | sort)
else
    echo "SKIP real clips: REAL_CLIPS names no folder"
fi
finish
