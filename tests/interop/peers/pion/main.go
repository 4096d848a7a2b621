// Pion as a test peer, driven by lines of JSON on standard input and output: see ../../README.md. It has no codecs: sound and
// video that arrive are sent back as they are, in packets of its own, and requests for key frames are passed on.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v3"
)

// Pion reads messages into so many bytes.
const largestMessage = 65535

type object = map[string]interface{}

type request struct {
	ID      interface{}     `json:"id"`
	Cmd     string          `json:"cmd"`
	PC      string          `json:"pc"`
	DC      string          `json:"dc"`
	Config  json.RawMessage `json:"config"`
	Set     bool            `json:"set"`
	Desc    description     `json:"desc"`
	Kind    string          `json:"kind"`
	Value   string          `json:"value"`
	Timeout int             `json:"timeout"`

	Candidate *webrtc.ICECandidateInit `json:"candidate"`
	Gathered  bool                     `json:"gathered"`

	Label *string      `json:"label"`
	Init  *channelInit `json:"init"`
	Mode  string       `json:"mode"`

	Text   *string `json:"text"`
	Base64 *string `json:"base64"`
	Size   int     `json:"size"`
	Count  int     `json:"count"`
	Seed   uint32  `json:"seed"`
	Max    int     `json:"max"`
	Bytes  int     `json:"bytes"`
	Chunk  int     `json:"chunk"`
	Tally  bool    `json:"tally"`
}

type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

var (
	replies     = os.Stdout
	writing     sync.Mutex
	everywhere  bool
	lock        sync.Mutex
	connections = map[string]*connection{}
	channels    = map[string]*channel{}
)

func say(line object) {
	text, err := json.Marshal(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	writing.Lock()
	defer writing.Unlock()
	replies.Write(append(text, '\n'))
}

type connection struct {
	name     string
	pc       *webrtc.PeerConnection
	mu       sync.Mutex
	incoming string
	restart  bool
	media    mediaRoom
}

func newAPI() (*webrtc.API, error) {
	engine := webrtc.SettingEngine{}
	if !everywhere {
		engine.SetIncludeLoopbackCandidate(true)
		engine.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	}
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(media, registry); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(registry)), nil
}

func create(r *request) (interface{}, error) {
	var config struct {
		IceServers []struct {
			URLs       json.RawMessage `json:"urls"`
			Username   string          `json:"username"`
			Credential string          `json:"credential"`
		} `json:"iceServers"`
		Policy string `json:"iceTransportPolicy"`
	}
	if len(r.Config) > 0 {
		if err := json.Unmarshal(r.Config, &config); err != nil {
			return nil, err
		}
	}
	wanted := webrtc.Configuration{}
	for _, server := range config.IceServers {
		var urls []string
		if json.Unmarshal(server.URLs, &urls) != nil {
			var one string
			if err := json.Unmarshal(server.URLs, &one); err != nil {
				return nil, err
			}
			urls = []string{one}
		}
		wanted.ICEServers = append(wanted.ICEServers, webrtc.ICEServer{
			URLs: urls, Username: server.Username, Credential: server.Credential})
	}
	if config.Policy == "relay" {
		wanted.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	api, err := newAPI()
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(wanted)
	if err != nil {
		return nil, err
	}
	c := &connection{name: r.PC, pc: pc, incoming: "event"}
	c.watch()
	lock.Lock()
	connections[r.PC] = c
	lock.Unlock()
	return nil, nil
}

func (c *connection) watch() {
	state := func(kind, value string) {
		say(object{"event": "state", "pc": c.name, "kind": kind, "value": value})
	}
	c.pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate == nil {
			say(object{"event": "candidate", "pc": c.name, "candidate": nil})
			return
		}
		say(object{"event": "candidate", "pc": c.name, "candidate": candidate.ToJSON()})
	})
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { state("connection", s.String()) })
	c.pc.OnICEConnectionStateChange(func(s webrtc.ICEConnectionState) { state("iceConnection", s.String()) })
	c.pc.OnSignalingStateChange(func(s webrtc.SignalingState) { state("signaling", s.String()) })
	c.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		c.mu.Lock()
		mode := c.incoming
		c.mu.Unlock()
		adopt(c.name, d, mode)
	})
	c.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mid := ""
		for _, transceiver := range c.pc.GetTransceivers() {
			if transceiver.Receiver() == receiver {
				mid = transceiver.Mid()
			}
		}
		say(object{"event": "track", "pc": c.name, "mid": mid, "kind": track.Kind().String(),
			"id": track.ID(), "streams": []string{track.StreamID()}})
		c.media.echo(c.pc, track, mid)
	})
}

func find(r *request) (*connection, error) {
	lock.Lock()
	defer lock.Unlock()
	if c := connections[r.PC]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no pc %q", r.PC)
}

func (c *connection) describe(r *request, offer bool) (interface{}, error) {
	var made webrtc.SessionDescription
	var err error
	if offer {
		options := &webrtc.OfferOptions{ICERestart: c.restart}
		c.restart = false
		made, err = c.pc.CreateOffer(options)
	} else {
		made, err = c.pc.CreateAnswer(nil)
	}
	if err == nil && r.Set {
		err = c.pc.SetLocalDescription(made)
	}
	if err != nil {
		return nil, err
	}
	return description{made.Type.String(), made.SDP}, nil
}

func (d description) value() webrtc.SessionDescription {
	return webrtc.SessionDescription{Type: webrtc.NewSDPType(d.Type), SDP: d.SDP}
}

func (c *connection) localDescription(r *request) (interface{}, error) {
	if r.Gathered {
		<-webrtc.GatheringCompletePromise(c.pc)
	}
	local := c.pc.LocalDescription()
	if local == nil {
		return nil, nil
	}
	return description{local.Type.String(), local.SDP}, nil
}

func (c *connection) state(kind string) string {
	switch kind {
	case "iceConnection":
		return c.pc.ICEConnectionState().String()
	case "iceGathering":
		return c.pc.ICEGatheringState().String()
	case "signaling":
		return c.pc.SignalingState().String()
	}
	return c.pc.ConnectionState().String()
}

func (c *connection) wait(r *request) (interface{}, error) {
	end := time.Now().Add(time.Duration(defaulted(r.Timeout, 15000)) * time.Millisecond)
	wanted := r.Value
	if wanted == "" {
		wanted = "connected"
	}
	for c.state(r.Kind) != wanted {
		if time.Now().After(end) {
			return nil, fmt.Errorf("timeout: %s is %s", r.Kind, c.state(r.Kind))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil, nil
}

func (c *connection) transport() *webrtc.ICETransport {
	for _, receiver := range c.pc.GetReceivers() {
		if t := receiver.Transport(); t != nil {
			return t.ICETransport()
		}
	}
	if t := c.pc.SCTP().Transport(); t != nil {
		return t.ICETransport()
	}
	return nil
}

func (c *connection) selected() (interface{}, error) {
	out := object{"local": nil, "remote": nil, "codecs": c.media.codecs()}
	if transport := c.transport(); transport != nil {
		if pair, err := transport.GetSelectedCandidatePair(); err == nil && pair != nil {
			describe := func(x *webrtc.ICECandidate) object {
				return object{"type": x.Typ.String(), "address": x.Address, "port": x.Port,
					"protocol": x.Protocol.String()}
			}
			out["local"], out["remote"] = describe(pair.Local), describe(pair.Remote)
		}
	}
	return out, nil
}

func defaulted(value, fallback int) int {
	if value == 0 {
		return fallback
	}
	return value
}

// Commands that may take long run beside the others.
var slow = map[string]bool{"wait": true, "localDescription": true, "send": true, "sendPlan": true, "ping": true, "blast": true}

func run(r *request) (interface{}, error) {
	if r.Cmd == "create" {
		return create(r)
	}
	if handler, known := channelCommands[r.Cmd]; known {
		d, err := findChannel(r)
		if err != nil {
			return nil, err
		}
		return handler(d, r)
	}
	c, err := find(r)
	if err != nil {
		return nil, err
	}
	switch r.Cmd {
	case "createOffer", "createAnswer":
		return c.describe(r, r.Cmd == "createOffer")
	case "setLocal":
		return nil, c.pc.SetLocalDescription(r.Desc.value())
	case "setRemote":
		return nil, c.pc.SetRemoteDescription(r.Desc.value())
	case "localDescription":
		return c.localDescription(r)
	case "addCandidate":
		if r.Candidate == nil {
			return nil, nil
		}
		return nil, c.pc.AddICECandidate(*r.Candidate)
	case "restartIce":
		c.restart = true
		return nil, nil
	case "wait":
		return c.wait(r)
	case "incoming":
		c.mu.Lock()
		c.incoming = r.Mode
		c.mu.Unlock()
		return nil, nil
	case "openChannel":
		return c.openChannel(r)
	case "sctp":
		return object{"maxMessageSize": largestMessage}, nil
	case "addTrack":
		return c.media.add(c.pc, r.Kind)
	case "setSender":
		return nil, nil // what comes in sets the rate
	case "media":
		return c.media.report(), nil
	case "selected":
		return c.selected()
	case "close":
		lock.Lock()
		delete(connections, c.name)
		lock.Unlock()
		return nil, c.pc.Close()
	}
	return nil, errors.New("unknown command " + r.Cmd)
}

func answer(r *request) {
	result, err := run(r)
	if err != nil {
		say(object{"id": r.ID, "ok": false, "error": err.Error()})
		return
	}
	say(object{"id": r.ID, "ok": true, "result": result})
}

func main() {
	os.Stdout = os.Stderr // Pion's log
	for i, word := range os.Args {
		everywhere = everywhere || word == "--all-interfaces"
		if word == "--ca" && i+1 < len(os.Args) {
			os.Setenv("SSL_CERT_FILE", os.Args[i+1]) // for a TURN server over TLS
		}
	}
	say(object{"event": "ready", "peer": "pion", "version": "3", "maxMessage": largestMessage, "echoesMedia": true})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), 1<<24)
	for lines.Scan() {
		r := &request{PC: "pc"}
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			say(object{"ok": false, "error": err.Error()})
			continue
		}
		if r.Cmd == "quit" {
			say(object{"id": r.ID, "ok": true, "result": nil})
			return
		}
		if slow[r.Cmd] {
			go answer(r)
		} else {
			answer(r)
		}
	}
}
