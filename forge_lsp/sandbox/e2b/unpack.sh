#!/bin/bash
# Moves the files of the archive "$1.tar" over those of the app, each at once. Names those that
# can't be moved, with a NUL before and after each.
set -u
home=$PWD
mkdir -p "$1" && tar -xf "$1.tar" -C "$1" && cd "$1" || exit 2
failed=0
while IFS= read -r -d '' file; do
  file=${file#./}
  case $file in */*) folder=$home/app/${file%/*} ;; *) folder=$home/app ;; esac
  if ! { mkdir -p "$folder" && mv -fT -- "$file" "$home/app/$file"; } 2>/dev/null; then
    printf '\0%s\0' "$file"
    failed=1
  fi
done < <(find . -type f -print0)
cd "$home" && rm -rf "$1" "$1.tar"
exit "$failed"
