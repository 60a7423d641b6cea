package kms

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/belfry-push/belfry/internal/push"
)

// service is as much of KMS' JSON protocol as the adapter speaks
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html). No stand-in
// for KMS can be had, so this is our own reading of it.
type service struct {
	mu       sync.Mutex
	sealed   map[string][2]string // by blob: key and purpose
	disabled bool
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var in struct {
		KeyID   string            `json:"KeyId"`             //nolint:tagliatelle // AWS' name
		KeySpec string            `json:"KeySpec"`           //nolint:tagliatelle // AWS' name
		Blob    []byte            `json:"CiphertextBlob"`    //nolint:tagliatelle // AWS' name
		Context map[string]string `json:"EncryptionContext"` //nolint:tagliatelle // AWS' name
	}
	_ = json.Unmarshal(body, &in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"`+code+`","message":"because"}`)
	}
	known := s.sealed[string(in.Blob)]
	switch target := r.Header.Get("X-Amz-Target"); {
	case s.disabled:
		refuse("DisabledException")
	case target == "TrentService.GenerateDataKey" && in.KeyID != "alias/belfry":
		refuse("NotFoundException")
	case target == "TrentService.GenerateDataKey" && in.KeySpec == "AES_256":
		key, blob := make([]byte, 32), make([]byte, 40)
		_, _ = rand.Read(key)
		_, _ = rand.Read(blob)
		s.sealed[string(blob)] = [2]string{string(key), in.Context["belfry"]}
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": in.KeyID, "Plaintext": key, "CiphertextBlob": blob})
	case target == "TrentService.Decrypt" && known[0] != "" && known[1] == in.Context["belfry"]:
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": "alias/belfry", "Plaintext": []byte(known[0])})
	default:
		refuse("InvalidCiphertextException")
	}
}

func keysOn(t *testing.T, s *service, key string) *Keys {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return New(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, key)
}

func TestDataKeys(t *testing.T) {
	t.Parallel()
	s := &service{sealed: map[string][2]string{}}
	k := keysOn(t, s, "alias/belfry")
	key, sealed, err := k.NewDataKey(t.Context(), "acme/shop")
	if err != nil || len(key) != 32 || bytes.Contains(sealed, key) || k.KeyID() != "kms:alias/belfry" {
		t.Fatalf("%x, %x, %v", key, sealed, err)
	}
	if got, err := k.OpenDataKey(t.Context(), sealed, "acme/shop"); err != nil || !bytes.Equal(got, key) {
		t.Errorf("opened %x, %v", got, err)
	}
	if _, err := k.OpenDataKey(t.Context(), sealed, "other/shop"); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("another purpose: %v", err)
	}
	s.mu.Lock()
	s.disabled = true
	s.mu.Unlock()
	_, err = k.OpenDataKey(t.Context(), sealed, "acme/shop")
	if !errors.Is(err, push.ErrNotFound) || !strings.Contains(err.Error(), "alias/belfry") {
		t.Errorf("a disabled key: %v", err)
	}
	if _, _, err := keysOn(t, &service{}, "alias/none").NewDataKey(t.Context(), "x"); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("no such key: %v", err)
	}
}
