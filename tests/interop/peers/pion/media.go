package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v3"
)

// What is known of one track that arrives.
type arrival struct {
	mid, kind, mime string
	packets, bytes  int
	frames, keys    int
	width, height   int
	ssrc            webrtc.SSRC
}

// The tracks of one connection, and those that they are sent back on.
type mediaRoom struct {
	mu       sync.Mutex
	arrivals []*arrival
	back     map[string]*webrtc.TrackLocalStaticRTP
	sent     map[string]int
}

func (m *mediaRoom) add(pc *webrtc.PeerConnection, kind string) (interface{}, error) {
	mime := webrtc.MimeTypeOpus
	if kind == "video" {
		mime = webrtc.MimeTypeVP8
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "echo")
	if err != nil {
		return nil, err
	}
	sender, err := pc.AddTrack(track)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.back == nil {
		m.back, m.sent = map[string]*webrtc.TrackLocalStaticRTP{}, map[string]int{}
	}
	m.back[kind] = track
	m.mu.Unlock()
	go m.passOnRequests(pc, sender, kind)
	return object{"trackId": track.ID()}, nil
}

// Who sees the echo asks us for key frames; only the source can make them.
func (m *mediaRoom) passOnRequests(pc *webrtc.PeerConnection, sender *webrtc.RTPSender, kind string) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				m.requestKeyFrame(pc, kind)
			}
		}
	}
}

func (m *mediaRoom) requestKeyFrame(pc *webrtc.PeerConnection, kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.arrivals {
		if a.kind == kind {
			_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(a.ssrc)}})
		}
	}
}

func (m *mediaRoom) echo(pc *webrtc.PeerConnection, track *webrtc.TrackRemote, mid string) {
	a := &arrival{mid: mid, kind: track.Kind().String(), mime: track.Codec().MimeType, ssrc: track.SSRC()}
	m.mu.Lock()
	m.arrivals = append(m.arrivals, a)
	m.mu.Unlock()
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		m.mu.Lock()
		a.count(packet.Payload, packet.Marker)
		back := m.back[a.kind]
		m.mu.Unlock()
		if back == nil {
			continue
		}
		// Extensions are numbered by the session that they came in.
		packet.Header.Extension = false
		packet.Header.Extensions = nil
		if err := back.WriteRTP(packet); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		m.mu.Lock()
		m.sent[a.kind]++
		m.mu.Unlock()
	}
}

// Looks into VP8: frames, and the size that key frames tell (RFC 6386 section 9.1).
func (a *arrival) count(payload []byte, marker bool) {
	a.packets++
	a.bytes += len(payload)
	if a.mime != webrtc.MimeTypeVP8 {
		return
	}
	if marker {
		a.frames++
	}
	var vp8 codecs.VP8Packet
	data, err := vp8.Unmarshal(payload)
	if err != nil || vp8.S != 1 || vp8.PID != 0 || len(data) < 10 || data[0]&1 != 0 {
		return
	}
	if data[3] != 0x9d || data[4] != 0x01 || data[5] != 0x2a {
		return
	}
	a.keys++
	a.width = (int(data[6]) | int(data[7])<<8) & 0x3fff
	a.height = (int(data[8]) | int(data[9])<<8) & 0x3fff
}

func (m *mediaRoom) report() []object {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []object{}
	for _, a := range m.arrivals {
		out = append(out, object{"mid": a.mid, "kind": a.kind, "packets": a.packets, "bytes": a.bytes, "frames": a.frames,
			"keyFrames": a.keys, "width": a.width, "height": a.height, "sentBack": m.sent[a.kind]})
	}
	return out
}

func (m *mediaRoom) codecs() []object {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []object{}
	for _, a := range m.arrivals {
		out = append(out, object{"kind": a.kind, "mime": a.mime, "frames": a.frames})
	}
	return out
}
