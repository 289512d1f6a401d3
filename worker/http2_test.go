// SPDX-License-Identifier: MIT

package worker

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// http2Client asks with HTTP/2, over TLS or in the clear.
func http2Client(t *testing.T, pool *http.Transport) func(url string) (string, error) {
	t.Helper()
	pool.Protocols = new(http.Protocols)
	if pool.TLSClientConfig != nil {
		pool.Protocols.SetHTTP2(true)
	} else {
		pool.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(pool.CloseIdleConnections)
	c := &http.Client{Transport: pool, Timeout: 30 * time.Second}
	return func(url string) (string, error) {
		resp, err := c.Get(url)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
}

func TestHTTP2Drains(t *testing.T) {
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			inside, finish := make(chan struct{}), make(chan struct{})
			srv := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(inside)
					<-finish
				}
				fmt.Fprint(w, r.ProtoMajor)
			})}
			srv.Protocols.SetHTTP1(true)
			srv.Protocols.SetHTTP2(true)
			srv.Protocols.SetUnencryptedHTTP2(!secure)
			var opts []Option
			pool, scheme := &http.Transport{}, "http://"
			if secure {
				certs := httptest.NewUnstartedServer(nil)
				certs.StartTLS()
				defer certs.Close()
				srv.TLSConfig = certs.TLS.Clone()
				srv.TLSConfig.NextProtos = nil
				pool.TLSClientConfig = certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				opts, scheme = append(opts, TLS("", "")), "https://"
			}
			s := serving(t, srv, opts...)
			get := http2Client(t, pool)
			url := scheme + s.ln.Addr().String()
			if got, err := get(url); got != "2" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			slow := make(chan error, 1)
			go func() {
				got, err := get(url + "/slow")
				if got != "2" && err == nil {
					err = fmt.Errorf("got %q", got)
				}
				slow <- err
			}()
			<-inside
			s.stop()
			close(finish)
			if err := <-slow; err != nil {
				t.Error(err)
			}
			s.wantEnd(t, nil)
		})
	}
}

func TestHTTP2IdleConnectionIsToldToGo(t *testing.T) {
	srv := &http.Server{Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	s := serving(t, srv)
	if got, err := http2Client(t, &http.Transport{})("http://" + s.ln.Addr().String()); got != "hi" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	s.stop()
	s.wantEnd(t, nil) // long before UnusedWait would be over
}
