// Pion as a peer of the comparing benchmarks: the commands of ../peer_main.cc, the same load.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v3"
)

const (
	lowBytes  = 256 * 1024
	highBytes = 1024 * 1024
	atOnce    = 20
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func residentKib() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	must(err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	must(err)
	return float64(pages * os.Getpagesize() / 1024)
}

func heapKib() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc+m.StackInuse) / 1024
}

func entries(directory string) int {
	list, err := os.ReadDir(directory)
	must(err)
	return len(list)
}

func newAPI() *webrtc.API {
	media := &webrtc.MediaEngine{}
	must(media.RegisterDefaultCodecs())
	engine := webrtc.SettingEngine{}
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media))
}

var api = newAPI()

// One connection with one channel, under load or silent.
type end struct {
	connection *webrtc.PeerConnection
	channel    *webrtc.DataChannel
	open       chan struct{}
	arrived    chan time.Time
	waiting    int32
	echoes     int32
	sending    int32
	bytes      uint64
	messages   uint64
	message    []byte
	refilling  sync.Mutex
}

func newEnd() *end {
	e := &end{open: make(chan struct{}), arrived: make(chan time.Time, 1)}
	var err error
	e.connection, err = api.NewPeerConnection(webrtc.Configuration{})
	must(err)
	e.connection.OnDataChannel(func(c *webrtc.DataChannel) { e.adopt(c) })
	return e
}

func (e *end) adopt(channel *webrtc.DataChannel) {
	e.channel = channel
	channel.SetBufferedAmountLowThreshold(lowBytes)
	channel.OnBufferedAmountLow(func() { e.refill() })
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		atomic.AddUint64(&e.bytes, uint64(len(m.Data)))
		atomic.AddUint64(&e.messages, 1)
		if atomic.LoadInt32(&e.echoes) != 0 {
			_ = channel.Send(m.Data)
		}
		if atomic.CompareAndSwapInt32(&e.waiting, 1, 0) {
			e.arrived <- time.Now()
		}
	})
	channel.OnOpen(func() { close(e.open) })
}

func (e *end) describe(d webrtc.SessionDescription) string {
	done := webrtc.GatheringCompletePromise(e.connection)
	must(e.connection.SetLocalDescription(d))
	<-done
	return e.connection.LocalDescription().SDP
}

func (e *end) offer() string {
	channel, err := e.connection.CreateDataChannel("bench", nil)
	must(err)
	e.adopt(channel)
	offer, err := e.connection.CreateOffer(nil)
	must(err)
	return e.describe(offer)
}

func (e *end) answer(offer string) string {
	must(e.connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}))
	answer, err := e.connection.CreateAnswer(nil)
	must(err)
	return e.describe(answer)
}

func (e *end) accept(answer string) {
	must(e.connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

func (e *end) waitOpen() bool {
	select {
	case <-e.open:
		return true
	case <-time.After(30 * time.Second):
		return false
	}
}

func (e *end) refill() {
	e.refilling.Lock()
	defer e.refilling.Unlock()
	for atomic.LoadInt32(&e.sending) != 0 && e.channel.BufferedAmount() < highBytes {
		if e.channel.Send(e.message) != nil {
			return
		}
	}
}

func (e *end) ping(count, gap int) (float64, float64) {
	var times []float64
	for i := 0; i < count; i++ {
		time.Sleep(time.Duration(gap) * time.Microsecond)
		atomic.StoreInt32(&e.waiting, 1)
		begin := time.Now()
		must(e.channel.Send(make([]byte, 32)))
		times = append(times, float64((<-e.arrived).Sub(begin).Nanoseconds())/1e3)
	}
	sort.Float64s(times)
	return times[count/2], times[count*99/100]
}

func connect(a, b *end) { a.accept(b.answer(a.offer())) }

func pairs(count, seconds int) string {
	var ends []*end
	add := func() {
		a, b := newEnd(), newEnd()
		ends = append(ends, a, b)
		connect(a, b)
	}
	add()
	ends[0].waitOpen()
	residentBefore, heapBefore := residentKib(), heapKib()
	cpuBefore, begin := cpuSeconds(), time.Now()
	for i := 0; i < count; i++ {
		add()
		if len(ends) > 2*atOnce {
			ends[len(ends)-2*atOnce].waitOpen()
		}
	}
	for _, e := range ends {
		if !e.waitOpen() {
			return "error not open"
		}
	}
	setup, wall := cpuSeconds()-cpuBefore, time.Since(begin).Seconds()
	time.Sleep(time.Second)
	idleBefore := cpuSeconds()
	time.Sleep(time.Duration(seconds) * time.Second)
	idle := cpuSeconds() - idleBefore
	connections := float64(2 * count)
	resident := residentKib() - residentBefore
	return fmt.Sprintf("setup_cpu_ms_per_pair=%g setup_wall_ms_per_pair=%g resident_kib_per_connection=%g "+
		"heap_kib_per_connection=%g idle_cpu_us_per_s_per_connection=%g threads_count=%d "+
		"descriptors_per_connection=%g",
		setup*1e3/float64(count), wall*1e3/float64(count), resident/connections,
		(heapKib()-heapBefore)/connections, idle*1e6/float64(seconds)/connections,
		entries("/proc/self/task"), float64(entries("/proc/self/fd"))/(connections+2))
}

func toLine(sdp string) string {
	return strings.ReplaceAll(strings.ReplaceAll(sdp, "\r", ""), "\n", "|")
}

func fromLine(line string) string { return strings.ReplaceAll(line, "|", "\r\n") }

func number(words []string, index int) int {
	value, err := strconv.Atoi(words[index])
	must(err)
	return value
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "forward" {
		forward()
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	start := time.Now()
	var first, second *end
	receiver := func() *end {
		if second != nil {
			return second
		}
		return first
	}
	for in.Scan() {
		command, text, _ := strings.Cut(in.Text(), " ")
		words := strings.Fields(text)
		reply := "ok"
		switch command {
		case "offer":
			first = newEnd()
			reply = toLine(first.offer())
		case "answer":
			first = newEnd()
			reply = toLine(first.answer(fromLine(text)))
		case "accept":
			first.accept(fromLine(text))
		case "pair":
			first, second = newEnd(), newEnd()
			connect(first, second)
		case "open":
			if !first.waitOpen() || !receiver().waitOpen() {
				reply = "error not open"
			}
		case "echo":
			atomic.StoreInt32(&receiver().echoes, 1)
		case "send":
			first.message = make([]byte, number(words, 0))
			atomic.StoreInt32(&first.sending, 1)
			first.refill()
		case "stop":
			atomic.StoreInt32(&first.sending, 0)
		case "ping":
			p50, p99 := first.ping(number(words, 0), number(words, 1))
			reply = fmt.Sprint(p50, " ", p99)
		case "mark":
			e := receiver()
			reply = fmt.Sprint(time.Since(start).Seconds(), " ", cpuSeconds(), " ",
				atomic.LoadUint64(&e.bytes), " ", atomic.LoadUint64(&e.messages))
		case "pairs":
			reply = pairs(number(words, 0), number(words, 1))
		default:
			return
		}
		fmt.Println(reply)
	}
}
