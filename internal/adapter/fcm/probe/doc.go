// Package probe asks Google whether it takes a service account: it fetches an access token and
// has FCM check a message without delivering it. It sends no notification, and contains nothing
// that could, so that a program that takes credentials in need not contain the sender.
package probe
