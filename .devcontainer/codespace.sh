# shellcheck shell=sh
# In a codespace, the page of a Streamlit app has the name of a forwarded port, and the app would refuse its websocket.
# GitHub lets only the codespace's own user through to that port. Elsewhere the app compares origins as usual.
if [ "${CODESPACES:-}" = true ]; then
  export STREAMLIT_SERVER_ENABLE_CORS=false STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false
fi
