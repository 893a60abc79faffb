/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * library_go.bpf.h - Go's crypto/tls. The messages of a handshake are read where they are packed
 * and unpacked, in clear; no field of any struct is. One goroutine handles one handshake, and
 * its address ties EncryptedExtensions to the ServerHello before it.
 *
 * Registers by Go's internal ABI (cmd/compile/abi-internal.md, since Go 1.17; arm64: 1.18). No
 * return probes: a goroutine's stack moves. A function's results are read at its return
 * instructions.
 */
#ifndef ALPNSCOPE_LIBRARY_GO_BPF_H
#define ALPNSCOPE_LIBRARY_GO_BPF_H

#include "alpnscope/wire.h"
#include "library_maps.bpf.h"

#define EXTENSIONS_MAX 32 /* in one message; Go sends less than ten */
#define HELLO_HEAD (AS_HS_HLEN + 2 + AS_RANDOM_LEN + 1) /* to the length of the session id */

#if defined(__TARGET_ARCH_x86)
#define GO_G(ctx) ((ctx)->r14)
#define GO_1(ctx) ((ctx)->rax)
#define GO_2(ctx) ((ctx)->rbx)
#define GO_3(ctx) ((ctx)->rcx)
#elif defined(__TARGET_ARCH_arm64)
#define GO_REG(ctx, n) (((const struct user_pt_regs *)(ctx))->regs[n])
#define GO_G(ctx) GO_REG(ctx, 28)
#define GO_1(ctx) GO_REG(ctx, 0)
#define GO_2(ctx) GO_REG(ctx, 1)
#define GO_3(ctx) GO_REG(ctx, 2)
#else /* no Go program of another machine is attached to */
#define GO_G(ctx) ((void)(ctx), 0)
#define GO_1(ctx) GO_G(ctx)
#define GO_2(ctx) GO_G(ctx)
#define GO_3(ctx) GO_G(ctx)
#endif

struct go_key {
	__u64 g;
	__u64 tgid;
};

/* LRU: a handshake that ended before EncryptedExtensions leaves its entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, AS_LIBRARY_CALLS);
	__type(key, struct go_key);
	__type(value, __u8[AS_RANDOM_LEN]);
} hellos SEC(".maps");

AS_INLINE struct go_key go_key(__u64 g)
{
	struct go_key key = {.g = g, .tgid = bpf_get_current_pid_tgid() >> 32};

	return key;
}

/* A list of extensions with its two bytes of length at @at. Where does that of @type begin, and
 * how long is it? 1; 0 when there is none, negative when the list is not as it should be. */
AS_INLINE int find_extension(__u64 at, __u16 type, __u64 *from, __u32 *len)
{
	__u8 head[4];
	__u64 end;

	if (bpf_probe_read_user(head, 2, (void *)at))
		return -1;
	end = at + 2 + as_be16(head);
	at += 2;
	for (int i = 0; i < EXTENSIONS_MAX && at < end; i++) {
		if (bpf_probe_read_user(head, sizeof(head), (void *)at))
			return -1;
		*from = at + sizeof(head);
		*len = as_be16(head + 2);
		at = *from + *len;
		if (at <= end && as_be16(head) == type)
			return 1;
	}
	return at == end ? 0 : -1;
}

/* Remember the random of a ServerHello of TLS 1.3: nothing follows the others. */
AS_INLINE int go_hello(__u64 g, __u64 message, __u64 len)
{
	struct go_key key = go_key(g);
	__u8 head[HELLO_HEAD];
	__u64 from;
	__u32 size;

	if (len < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)message) ||
	    head[0] != AS_HS_SERVER_HELLO)
		return 0;
	/* Then a cipher suite and a compression method. */
	if (find_extension(message + sizeof(head) + head[HELLO_HEAD - 1] + 3,
			   AS_EXT_SUPPORTED_VERSIONS, &from, &size) != 1)
		return 0;
	bpf_map_update_elem(&hellos, &key, head + AS_HS_HLEN + 2, BPF_ANY);
	return 0;
}

/* The one name of the ALPN extension, RFC 7301 section 3.1; without the extension none. */
AS_INLINE int go_name(struct as_library_answer *a, __u64 message)
{
	__u64 from;
	__u32 size;
	int found = find_extension(message + AS_HS_HLEN, AS_EXT_ALPN, &from, &size);

	if (found != 1)
		return found;
	if (size < 3 || bpf_probe_read_user(&a->name_len, 1, (void *)(from + 2)) ||
	    (__u32)a->name_len + 3 != size)
		return -1;
	size = a->name_len;
	size &= AS_LIBRARY_NAME_MAX;
	return bpf_probe_read_user(a->name, size, (void *)(from + 3)) ? -1 : 0;
}

AS_INLINE int go_extensions(void *ctx, __u64 g, __u64 message, __u64 len, __u8 side)
{
	struct go_key key = go_key(g);
	struct as_library_answer *a;
	const __u8 *random;
	__u8 head[AS_HS_HLEN + 2];

	if (len < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)message) ||
	    head[0] != AS_HS_ENCRYPTED_EXTENSIONS)
		return 0;
	random = bpf_map_lookup_elem(&hellos, &key);
	if (!random) {
		lose(AS_LIBRARY_TABLE_FULL);
		return 0;
	}
	a = answer(ctx, AS_LIBRARY_MESSAGE);
	if (!a)
		return 0;
	AS_MEMCPY(a->random, random, AS_RANDOM_LEN);
	a->side = side;
	return go_name(a, message) ? give_up(a) : give(a);
}

/* func (m *serverHelloMsg) unmarshal(data []byte) bool, at its entry: a client */
SEC("uprobe")
int library_go_hello_in(struct pt_regs *ctx)
{
	return go_hello(GO_G(ctx), GO_2(ctx), GO_3(ctx));
}

/* func (m *serverHelloMsg) marshal() []byte, or ([]byte, error), at a return: a server */
SEC("uprobe")
int library_go_hello_out(struct pt_regs *ctx)
{
	return go_hello(GO_G(ctx), GO_1(ctx), GO_2(ctx));
}

SEC("uprobe")
int library_go_extensions_in(struct pt_regs *ctx)
{
	return go_extensions(ctx, GO_G(ctx), GO_2(ctx), GO_3(ctx), AS_LIBRARY_CLIENT);
}

SEC("uprobe")
int library_go_extensions_out(struct pt_regs *ctx)
{
	return go_extensions(ctx, GO_G(ctx), GO_1(ctx), GO_2(ctx), AS_LIBRARY_SERVER);
}

#endif
