#!/bin/sh
# Runs the app under strace. The log of an earlier run is kept under a name with the time of its last line.
set -eu
log=${TRACE_LOG:-/trace/log_streamlit.txt}
folder=$(dirname "$log")
if [ ! -w "$folder" ]; then
  echo "cannot write to $folder as user $(id -u): make that user the owner of results/trace, or start the lab with 'make up'" >&2
  exit 2
fi
if [ -s "$log" ]; then
  mv "$log" "${log%.txt}-$(date -u -r "$log" +%Y%m%dT%H%M%S.%3NZ).txt"
fi
calls='epoll_create1,epoll_ctl,?epoll_wait,epoll_pwait,?epoll_pwait2,bind,listen,accept,accept4,recvfrom,sendto,clone,clone3,openat'
if [ "${LOOP:-}" = uvloop ]; then # libuv uses read and write for sockets, and io_uring for epoll
  calls="$calls,read,write,?io_uring_setup,?io_uring_enter"
fi
# The user's own settings of Streamlit must not change what is traced: its variables, and ~/.streamlit. This is the home
# that Debian gives to users without one.
for name in $(env | sed -n 's/^\(STREAMLIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export HOME=/nonexistent
# In a codespace, the page has another name than the app's address: its websocket must be allowed for that name.
for name in ${CODESPACE_NAME:+"$CODESPACE_NAME-${PUBLISHED_PORT:-8079}.app.github.dev"} $(echo "${ALLOWED_HOSTS:-}" | tr ',' ' '); do
  set -- "$@" --server.corsAllowedOrigins="https://$name"
done
if [ -n "${ADDRESS:-}" ]; then set -- "$@" --server.address="$ADDRESS"; fi # a container listens on all of its own
exec strace -f --seccomp-bpf -ttt -T -yy -s 256 -o "$log" \
  -e "trace=$calls" \
  streamlit run streamlit_fun.py --server.port="${PORT:-8079}" --server.headless=true \
  --browser.gatherUsageStats=false --server.fileWatcherType=none "$@"
