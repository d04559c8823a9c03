//go:build long

package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// echo is this test binary as a process on another machine: CROFT_ECHO=listen
// answers packets, "ask IP N" sends N of them and prints how many were answered
// and how long the slowest took, in nanoseconds.
func init() {
	words := strings.Fields(os.Getenv("CROFT_ECHO"))
	if len(words) == 0 {
		return
	}
	if err := echo(words); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const echoPort = 7777

func echo(words []string) error {
	if words[0] == "listen" {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: echoPort})
		if err != nil {
			return err
		}
		fmt.Println("listening")
		for buffer := make([]byte, mtu); ; {
			n, from, err := conn.ReadFromUDP(buffer)
			if err != nil {
				return err
			}
			if _, err := conn.WriteToUDP(buffer[:n], from); err != nil {
				return err
			}
		}
	}
	count, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(words[1]), Port: echoPort})
	if err != nil {
		return err
	}
	go func() {
		question := make([]byte, 1000)
		for range count {
			binary.BigEndian.PutUint64(question, uint64(time.Now().UnixNano()))
			_, _ = conn.Write(question) // a lost one is what is counted
			time.Sleep(200 * time.Microsecond)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	}()
	answers, slowest := 0, time.Duration(0)
	for buffer := make([]byte, mtu); answers < count; answers++ {
		if _, err := conn.Read(buffer); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return err
		}
		slowest = max(slowest, time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(buffer)))))
	}
	fmt.Println(answers, slowest.Nanoseconds())
	return nil
}
