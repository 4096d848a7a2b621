// Pion as a forwarding server: the commands of ../forwarding_main.h.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/pion/webrtc/v3"
)

func forward() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	video, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "v", "v")
	must(err)
	for in.Scan() {
		command, text, _ := strings.Cut(in.Text(), " ")
		if command == "mark" {
			fmt.Println(cpuSeconds(), 0)
			continue
		}
		connection, err := api.NewPeerConnection(webrtc.Configuration{})
		must(err)
		if command == "publisher" {
			connection.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
				packet := make([]byte, 1500)
				for {
					size, _, err := track.Read(packet)
					if err != nil {
						return
					}
					_, _ = video.Write(packet[:size])
				}
			})
		} else {
			sender, err := connection.AddTrack(video)
			must(err)
			go func() {
				packet := make([]byte, 1500)
				for {
					if _, _, err := sender.Read(packet); err != nil {
						return
					}
				}
			}()
		}
		must(connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: fromLine(text)}))
		answer, err := connection.CreateAnswer(nil)
		must(err)
		gathered := webrtc.GatheringCompletePromise(connection)
		must(connection.SetLocalDescription(answer))
		<-gathered
		fmt.Println(toLine(connection.LocalDescription().SDP))
	}
}
