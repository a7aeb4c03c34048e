"""What a click does: streamlit_fun.py opens this file and runs it, so strace sees every click."""

import streamlit as st

st.balloons()
