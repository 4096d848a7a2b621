package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

const (
	reportedBytes = 4096
	sendBuffer    = 1 << 20
	fnvOffset     = 2166136261
	fnvPrime      = 16777619
)

type channelInit struct {
	Ordered           *bool   `json:"ordered"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime"`
	MaxRetransmits    *uint16 `json:"maxRetransmits"`
	Protocol          *string `json:"protocol"`
	Negotiated        *bool   `json:"negotiated"`
	ID                *uint16 `json:"id"`
}

func fnv1a(data []byte, hash uint32) uint32 {
	for _, b := range data {
		hash = (hash ^ uint32(b)) * fnvPrime
	}
	return hash
}

func payload(size, index int, text bool) []byte {
	out := make([]byte, size)
	for j := range out {
		value := j*31 + index*7
		if text {
			out[j] = byte(32 + value%95)
		} else {
			out[j] = byte(value)
		}
	}
	return out
}

type tally struct {
	messages, texts, binaries, bytes int
	hash                             uint32
}

func (t *tally) add(data []byte, text bool) {
	t.messages++
	kind := byte(0)
	if text {
		kind = 1
		t.texts++
	} else {
		t.binaries++
	}
	t.bytes += len(data)
	n := len(data)
	t.hash = fnv1a([]byte{kind, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}, t.hash)
	t.hash = fnv1a(data, t.hash)
}

func (t *tally) result() object {
	return object{"messages": t.messages, "textMessages": t.texts, "binaryMessages": t.binaries, "bytes": t.bytes, "hash": t.hash}
}

// One data channel by name: what it does with messages, and what it has seen.
type channel struct {
	pc, name string
	dc       *webrtc.DataChannel
	opened   chan struct{}
	mu       sync.Mutex
	mode     string
	got      tally
	waiting  []chan []byte
}

func register(pc, name string, dc *webrtc.DataChannel, mode string, unique bool) *channel {
	if mode == "" {
		mode = "event"
	}
	lock.Lock()
	chosen := name
	for i := 2; unique && channels[chosen] != nil; i++ {
		chosen = name + "#" + strconv.Itoa(i)
	}
	c := &channel{pc: pc, name: chosen, dc: dc, opened: make(chan struct{}), mode: mode, got: tally{hash: fnvOffset}}
	channels[chosen] = c
	lock.Unlock()
	report := func(event string, more object) {
		more["event"], more["pc"], more["dc"] = event, pc, c.name
		say(more)
	}
	dc.OnMessage(func(m webrtc.DataChannelMessage) { c.receive(m, report) })
	dc.OnClose(func() { report("close", object{}) })
	dc.OnError(func(err error) { report("dcerror", object{"error": err.Error()}) })
	dc.OnOpen(func() {
		close(c.opened)
		report("open", object{"id": dc.ID()})
	})
	return c
}

func adopt(pc string, dc *webrtc.DataChannel, mode string) {
	name := dc.Label()
	if name == "" {
		name = "dc"
	}
	c := register(pc, name, dc, mode, true)
	event := c.describe()
	event["event"], event["pc"] = "datachannel", pc
	say(event)
}

func findChannel(r *request) (*channel, error) {
	lock.Lock()
	defer lock.Unlock()
	if c := channels[r.DC]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no dc %q", r.DC)
}

func (c *connection) openChannel(r *request) (interface{}, error) {
	label := r.DC
	if r.Label != nil {
		label = *r.Label
	}
	init := &webrtc.DataChannelInit{}
	if r.Init != nil {
		init = &webrtc.DataChannelInit{Ordered: r.Init.Ordered, MaxPacketLifeTime: r.Init.MaxPacketLifeTime,
			MaxRetransmits: r.Init.MaxRetransmits, Protocol: r.Init.Protocol, Negotiated: r.Init.Negotiated, ID: r.Init.ID}
	}
	dc, err := c.pc.CreateDataChannel(label, init)
	if err != nil {
		return nil, err
	}
	return register(c.name, r.DC, dc, r.Mode, false).describe(), nil
}

func (c *channel) describe() object {
	return object{"dc": c.name, "label": c.dc.Label(), "protocol": c.dc.Protocol(), "id": c.dc.ID(), "ordered": c.dc.Ordered(),
		"maxRetransmits": c.dc.MaxRetransmits(), "maxPacketLifeTime": c.dc.MaxPacketLifeTime(), "negotiated": c.dc.Negotiated()}
}

func (c *channel) transmit(data []byte, text bool) error {
	if text {
		return c.dc.SendText(string(data))
	}
	return c.dc.Send(data)
}

func (c *channel) receive(m webrtc.DataChannelMessage, report func(string, object)) {
	c.mu.Lock()
	c.got.add(m.Data, m.IsString)
	mode := c.mode
	if mode != "echo" && len(c.waiting) > 0 {
		waiting := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.mu.Unlock()
		waiting <- m.Data
		return
	}
	c.mu.Unlock()
	switch mode {
	case "echo":
		if err := c.transmit(m.Data, m.IsString); err != nil {
			report("dcerror", object{"error": err.Error()})
		}
	case "event":
		event := object{"size": len(m.Data), "hash": fnv1a(m.Data, fnvOffset)}
		if len(m.Data) <= reportedBytes {
			if m.IsString {
				event["text"] = string(m.Data)
			} else {
				event["base64"] = base64.StdEncoding.EncodeToString(m.Data)
			}
		}
		report("message", event)
	}
}

// Waits until the channel is open and at most so many bytes wait in it.
func (c *channel) room(below uint64) error {
	select {
	case <-c.opened:
	case <-time.After(20 * time.Second):
		return errors.New("the channel does not open")
	}
	for c.dc.ReadyState() == webrtc.DataChannelStateOpen && c.dc.BufferedAmount() > below {
		time.Sleep(2 * time.Millisecond)
	}
	if state := c.dc.ReadyState(); state != webrtc.DataChannelStateOpen {
		return errors.New("channel is " + state.String())
	}
	return nil
}

func (c *channel) put(data []byte, text bool, buffer uint64) error {
	if err := c.room(buffer); err != nil {
		return err
	}
	return c.transmit(data, text)
}

var channelCommands = map[string]func(*channel, *request) (interface{}, error){
	"mode": func(c *channel, r *request) (interface{}, error) {
		c.mu.Lock()
		c.mode = r.Mode
		c.mu.Unlock()
		return nil, nil
	},
	"closeChannel": func(c *channel, r *request) (interface{}, error) { return nil, c.dc.Close() },
	"received": func(c *channel, r *request) (interface{}, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		out := c.got.result()
		out["state"], out["buffered"] = c.dc.ReadyState().String(), c.dc.BufferedAmount()
		return out, nil
	},
	"send": func(c *channel, r *request) (interface{}, error) {
		for i := 0; i < defaulted(r.Count, 1); i++ {
			data, text := payload(r.Size, i, false), r.Text != nil
			if text {
				data = []byte(*r.Text)
			} else if r.Base64 != nil {
				var err error
				if data, err = base64.StdEncoding.DecodeString(*r.Base64); err != nil {
					return nil, err
				}
			}
			if err := c.put(data, text, sendBuffer); err != nil {
				return nil, err
			}
		}
		return nil, nil
	},
	"sendPlan": sendPlan,
	"ping":     ping,
	"blast":    blast,
}

func sendPlan(c *channel, r *request) (interface{}, error) {
	state := r.Seed
	if state == 0 {
		state = 1
	}
	next := func() uint32 {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		return state
	}
	max := defaulted(r.Max, 262144)
	sent := tally{hash: fnvOffset}
	for i := 0; i < defaulted(r.Count, 1000); i++ {
		text := next()>>8&1 == 1
		power := 1 << (next() % 19)
		size := power - 1 + int(next()%uint32(power))
		if size > max {
			size = max
		}
		if i%50 == 0 {
			size = 0
		} else if i%50 == 1 {
			size = max
		}
		data := payload(size, i, text)
		if err := c.put(data, text, sendBuffer); err != nil {
			return nil, err
		}
		sent.add(data, text)
	}
	return sent.result(), nil
}

func ping(c *channel, r *request) (interface{}, error) {
	if err := c.room(sendBuffer); err != nil {
		return nil, err
	}
	count, wrong := defaulted(r.Count, 20), 0
	times := make([]float64, 0, count)
	for i := 0; i < count; i++ {
		out := payload(defaulted(r.Size, 32), i, false)
		echo := make(chan []byte, 1)
		c.mu.Lock()
		c.waiting = append(c.waiting, echo)
		c.mu.Unlock()
		began := time.Now()
		if err := c.transmit(out, false); err != nil {
			return nil, err
		}
		select {
		case back := <-echo:
			if fnv1a(back, fnvOffset) != fnv1a(out, fnvOffset) {
				wrong++
			}
		case <-time.After(time.Duration(defaulted(r.Timeout, 5000)) * time.Millisecond):
			return nil, fmt.Errorf("no echo of message %d", i)
		}
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	sort.Float64s(times)
	return object{"count": count, "size": defaulted(r.Size, 32), "wrong": wrong, "rtt_ms_min": times[0],
		"rtt_ms_p50": times[count/2], "rtt_ms_max": times[count-1]}, nil
}

func blast(c *channel, r *request) (interface{}, error) {
	chunk := defaulted(r.Chunk, 16384)
	if chunk > largestMessage {
		chunk = largestMessage
	}
	block, sum := payload(chunk, 0, false), tally{hash: fnvOffset}
	began, sent := time.Now(), 0
	for i := 0; sent < defaulted(r.Bytes, 1<<24); i++ {
		if r.Tally {
			block = payload(chunk, i, false)
			sum.add(block, false)
		}
		if err := c.put(block, false, sendBuffer); err != nil {
			return nil, err
		}
		sent += chunk
	}
	if err := c.room(0); err != nil {
		return nil, err
	}
	ms := float64(time.Since(began).Microseconds()) / 1000
	out := object{"bytes": sent, "duration_ms": ms, "rate_mbps": float64(sent) * 8 / ms / 1000}
	if r.Tally {
		out["tally"] = sum.result()
	}
	return out, nil
}
