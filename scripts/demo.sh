#!/bin/sh
# Plays the whole story on real data: handwritten digits, three stages, two commits, one clone, four verdicts.
#   sh scripts/demo.sh             in a scratch folder that is removed at the end
#   sh scripts/demo.sh FOLDER      in a new folder that is kept
# Needs git, Python 3.11 or later and, for the first set-up, a package index.
set -eu
cd "$(dirname "$0")/.."
project=$PWD
sh scripts/setup.sh

if [ $# -gt 0 ]; then
    mkdir -p "$1"
    scratch=$(cd "$1" && pwd -P)
else
    scratch=$(cd "$(mktemp -d)" && pwd -P)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
fi

# ---- how it is told ---------------------------------------------------------------------------------------

title() {
    printf '\n\n=== %s\n' "$1"
}

say() {
    echo
    printf '# %s\n' "$@"
}

# Show a command and run it, as if it had been typed.
play() {
    printf '\n$ %s\n' "$1"
    eval "$1"
}

# The same for a command that is meant to end with another exit code than 0.
play_to() {
    wanted=$1
    printf '\n$ %s\n' "$2"
    code=0
    eval "$2" || code=$?
    printf '(exit code %s)\n' "$code"
    [ "$code" = "$wanted" ] || {
        printf 'the demo expected exit code %s\n' "$wanted" >&2
        exit 1
    }
}

# Stop the demo unless two things are equal: what it claims has to be true.
same() {
    [ "$1" = "$2" ] || {
        printf 'not the same: %s and %s\n' "$1" "$2" >&2
        exit 1
    }
}

# The bytes of the data, of what the stages made and of the metrics, as one number.
bytes() {
    find data features.npz model.npz plots train.json metrics.json -type f ! -name '*.tally' ! -name .gitignore |
        LC_ALL=C sort | xargs cksum | cksum
}

# ---- a place of its own: no setting of yours is read or changed -------------------------------------------

mkdir -p "$scratch/bin" "$scratch/config"
ln -sf "$project/.venv/bin/tally" "$project/.venv/bin/git-tally" "$project/.venv/bin/uv" "$scratch/bin/"
export XDG_CONFIG_HOME="$scratch/config" GIT_CONFIG_GLOBAL="$scratch/config/git" GIT_CONFIG_NOSYSTEM=1
git config --global user.name "Ada Lovelace"
git config --global user.email "ada@example.org"
git config --global init.defaultBranch main
git config --global advice.detachedHead false
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE VIRTUAL_ENV PYTHONPATH TALLY_SEED
export OMP_NUM_THREADS=1

printf 'Setting up the example project in %s\n' "$scratch"
"$project/.venv/bin/uv" venv --quiet --no-project --python "$project/.venv/bin/python" "$scratch/venv"
"$project/.venv/bin/uv" pip install --quiet --python "$scratch/venv/bin/python" \
    --requirement "$project/examples/digits/requirements.txt"
export PATH="$scratch/venv/bin:$scratch/bin:$PATH" VIRTUAL_ENV="$scratch/venv"
begun=$(date +%s)

# ---- the story --------------------------------------------------------------------------------------------

title "1. A git repository becomes a project"
mkdir "$scratch/digits"
cd "$scratch/digits"
cp "$project"/examples/digits/*.py "$project"/examples/digits/*.yaml "$project"/examples/digits/requirements.txt .
play 'git init --quiet'
play 'ls'
play 'tally init'
play 'tally remote add origin ../store'

title "2. Data goes into the store, pointers go into git"
play 'python make_data.py'
play 'tally add data/digits data/labels.csv'
play 'git status --short'
play 'cat data/digits.tally'

title "3. A pipeline runs, and leaves a receipt for every stage"
play 'cat tally.yaml'
play 'tally run'
play 'tally run'
play 'head -n 12 environment.lock'

title "4. The first result is committed, and pushed"
play 'git add --all && git commit --quiet -m "A first model"'
play 'tally push'
play 'cat metrics.json'
first=$(bytes)

title "5. Data, a parameter and a package change"
say "One image is replaced, one is removed, one is new; a package is older, and training takes longer."
play 'cp data/digits/0010.pgm data/digits/0000.pgm'
play 'rm data/digits/0001.pgm'
play 'cp data/digits/0002.pgm data/digits/1797.pgm && echo 1797.pgm,2 >> data/labels.csv'
play 'tally add data/digits data/labels.csv'
play 'uv pip install --quiet threadpoolctl==3.6.0'
play 'tally status'
play 'tally run -S train.epochs=10'
play 'tally diff HEAD'
play 'git add --all && git commit --quiet -m "More epochs, better data"'
play 'tally push'
second=$(bytes)

title "6. A colleague clones, and goes back in time"
play 'git clone --quiet . ../clone && cd ../clone'
play 'tally pull'
same "$(bytes)" "$second"
say "In a clone nothing of the repository is executed or installed until you trust it; --trust says so."
play 'tally checkout HEAD~1 --trust'
same "$(bytes)" "$first"
say "The data, the model and the metrics are, byte for byte, those of the first commit; its packages, too."
play 'tally checkout -'
same "$(bytes)" "$second"
play 'tally status'

title "7. Does the first result still come out, on a machine that has nothing?"
play 'git clone --quiet . ../fresh && cd ../fresh'
say "The run is repeated in a worktree and an environment of its own, made from what was recorded."
play_to 0 'tally repro HEAD~1 --trust'
say "Nothing has changed here: the data of this clone still waits for a pull."
play 'git status --short && ls data'

title "8. Honest verdicts: different"
cd ../digits
say "Training gets a little noise that no seed decides, as sums on a graphics card have it."
play "sed 's/# x = x/x = x/' train.py > noisy && mv noisy train.py"
play 'git diff --unified=0 train.py'
play 'tally run'
play 'git add --all && git commit --quiet -m "Noise that no seed decides"'
play_to 1 'tally repro HEAD'

title "9. Honest verdicts: within tolerance"
say "The project says how much its results may differ."
play "sed 's/# tolerance/tolerance/' tally.yaml > tolerant && mv tolerant tally.yaml"
play 'git diff --unified=0 tally.yaml'
play 'git commit --quiet --all -m "Say how much may differ"'
play_to 0 'tally repro HEAD'

title "10. Honest verdicts: could not be rebuilt"
say "One more image is recorded and pushed; then it is deleted from the remote, and from the local store."
touch ../before
sleep 1
play 'cp data/digits/0003.pgm data/digits/1798.pgm && echo 1798.pgm,3 >> data/labels.csv'
play 'tally add --quiet data/digits data/labels.csv && tally run prepare'
play 'git add --all && git commit --quiet -m "One more image" && tally push'
play 'find ../store/packs .git/tally/packs -type f -newer ../before -delete'
play_to 13 'tally repro HEAD --stage prepare'

title "11. All of it is in the ledger"
play 'tally log'
play 'tally show train'

printf '\n\n\nThe story took %s seconds.\n' "$(($(date +%s) - begun))"
