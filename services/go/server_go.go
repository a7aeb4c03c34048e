// Server K, Go: code that blocks, as D's, on an event loop, as C's: a connection's goroutine that waits needs no thread.
package main

import (
	"fmt"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func check(good bool, format string, values ...any) {
	if line := strconv.QuoteToASCII(fmt.Sprintf(format, values...)); !good { // on one line, whatever a value has
		fmt.Fprintln(os.Stderr, line[1:len(line)-1])
		os.Exit(2)
	}
}

func text(name, preset string) string {
	if said := os.Getenv(name); said != "" { // empty: the default
		preset = said
	}
	return preset
}

func number(name, preset, form, kind string, low, high float64) float64 {
	said := text(name, preset)
	value, _ := strconv.ParseFloat(said, 64)
	good := regexp.MustCompile(form).MatchString(said) && value >= low && value <= high
	check(good, "%s=%.60s: must be a%s number from %g to %g", name, said, kind, low, high)
	return value
}

func main() {
	port, backlog := number("PORT", "8093", `^\d+$`, " whole", 1, 65535), number("BACKLOG", "4096", `^\d+$`, " whole", 1, 65535) // 4096: Linux's
	waitMs, cpuMs := number("WAIT_MS", "20", `^\d+(\.\d*)?$`, "", 0, 60000), number("CPU_MS", "0", `^\d+(\.\d*)?$`, "", 0, 60000)
	host, distribution := text("HOST", "127.0.0.1"), text("WAIT_DISTRIBUTION", "constant")
	wait := map[string]func() float64{"constant": func() float64 { return 1 }, "exponential": rand.ExpFloat64}[distribution]
	check(wait != nil, "WAIT_DISTRIBUTION=%.60s: must be constant or exponential", distribution)
	rand.Seed(time.Now().UnixNano())
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	check(err == nil, "PORT=%g: cannot listen there on HOST=%.60s: %v", port, host, err)
	socket, _ := listener.(*net.TCPListener).SyscallConn()
	socket.Control(func(fd uintptr) { syscall.Listen(int(fd), int(backlog)) }) // a second listen changes the backlog
	fmt.Printf("go server, port %g: wait %g ms %s, backlog %g\n", port, waitMs, distribution, backlog)
	answer := func(response http.ResponseWriter, request *http.Request) {
		begin, status, usage := time.Now(), 200, syscall.Rusage{}
		used := func() int64 { syscall.Getrusage(1, &usage); return usage.Utime.Nano() + usage.Stime.Nano() } // 1: of this thread
		if request.ContentLength != 0 {
			status = 413 // this server reads no bodies: the library discards them
		} else if request.Method != "GET" && request.Method != "HEAD" {
			status = 405
		} else if request.URL.Path == "/" {
			time.Sleep(time.Duration(wait() * waitMs * 1e6)) // the I/O: the thread serves others meanwhile
			runtime.LockOSThread()
			for end := used() + int64(cpuMs*1e6); used() < end; { // the computing: others may use other CPUs
			}
			runtime.UnlockOSThread()
		} else if request.URL.Path != "/healthz" {
			status = 404
		}
		response.Header().Set("Server-Timing", fmt.Sprintf("service;dur=%.3f", time.Since(begin).Seconds()*1000))
		http.Error(response, "go", status) // not only errors: a line of plain text
	}
	go (&http.Server{Handler: http.HandlerFunc(answer), MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: time.Minute}).Serve(listener)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended // the end of main is the end of the program, with status 0
}
