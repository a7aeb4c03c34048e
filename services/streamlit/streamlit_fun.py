"""The traced app: a button, a lucky number, balloons. It is small so that its system calls are easy to read."""

import random
from pathlib import Path

import streamlit as st

st.title("The lucky number machine")
st.write("One thread waits in epoll and wakes when you click.")
st.write("Its system calls are in `results/trace/log_streamlit.txt`.")

if st.button("Give me a lucky number!"):
    st.metric("Your lucky number", random.randint(1, 100))
    # Read and run, not import: an import opens the file only once, but the log must show every click.
    script = Path(__file__).with_name("balloons.py")
    exec(compile(script.read_text(encoding="utf-8"), script, "exec"), {"__name__": "balloons"})
