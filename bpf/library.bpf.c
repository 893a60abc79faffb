// SPDX-License-Identifier: GPL-2.0-only
/* library.bpf.c - asks the TLS libraries of running processes (--library): what they answer
 * to the calls that ask for the chosen protocol, and what Go's messages say. Nothing of a
 * process is changed. bpf_get_attach_cookie() came with Linux 5.15. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "alpnscope/library.h"
#include "alpnscope/wire.h"
#include "library_go.bpf.h"
#include "library_maps.bpf.h"

char _license[] SEC("license") = "GPL";

/* ---- OpenSSL and GnuTLS: a call and its return ---- */

AS_INLINE int begin(__u32 what, __u64 object, __u64 first, __u64 second)
{
	struct call_key key = {.id = bpf_get_current_pid_tgid(), .what = what};
	struct call call = {.object = object, .out = {first, second}};

	bpf_map_update_elem(&calls, &key, &call, BPF_ANY);
	return 0;
}

/* The call that returns. A call before we were attached is none of ours. */
AS_INLINE int end(__u32 what, struct call *call)
{
	struct call_key key = {.id = bpf_get_current_pid_tgid(), .what = what};
	struct call *found = bpf_map_lookup_elem(&calls, &key);

	if (!found) {
		lose(AS_LIBRARY_TABLE_FULL);
		return -1;
	}
	*call = *found;
	bpf_map_delete_elem(&calls, &key);
	return 0;
}

AS_INLINE int read_name(struct as_library_answer *a, __u64 from, __u32 len)
{
	if (len > AS_LIBRARY_NAME_MAX)
		return -1;
	a->name_len = (__u8)len;
	as_barrier(len);
	len &= AS_LIBRARY_NAME_MAX;
	return bpf_probe_read_user(a->name, len, (void *)from) ? -1 : 0;
}

/* The name in the library's own fields: *@from, *@len. Negative when they are not known. */
AS_INLINE int read_fields(const struct as_library_file *file, __u64 object, __u64 *from, __u32 *len)
{
	*from = *len = 0;
	if (follow(&file->alpn, object, from, sizeof(*from)))
		return -1;
	/* OpenSSL looks at the length only if there is a name. */
	return *from ? follow(&file->alpn_len, object, len, sizeof(*len)) : 0;
}

/* Do the fields hold the name that the library answered with? */
AS_INLINE int agrees(const struct as_library_file *file, __u64 object, __u64 from, __u32 len)
{
	__u64 field_from;
	__u32 field_len;

	/* The very same pointer: OpenSSL answers with its own. */
	return len && !read_fields(file, object, &field_from, &field_len) && field_from == from &&
	       field_len == len;
}

SEC("uprobe")
int library_ask(struct pt_regs *ctx)
{
	return begin(ASKED, PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx));
}

/* void SSL_get0_alpn_selected(const SSL *, const unsigned char **data, unsigned int *len) */
SEC("uretprobe")
int library_told_openssl(struct pt_regs *ctx)
{
	struct as_library_file *file = file_of(ctx);
	struct as_library_answer *a;
	struct call call;
	__u64 from = 0;
	__u32 len = 0;

	if (end(ASKED, &call) || !file)
		return 0;
	a = answer(ctx, AS_LIBRARY_OUT);
	if (!a)
		return 0;
	if (bpf_probe_read_user(&from, sizeof(from), (void *)call.out[0]) ||
	    bpf_probe_read_user(&len, sizeof(len), (void *)call.out[1]) ||
	    read_name(a, from, from ? len : 0) || read_random(a, file, call.object))
		return give_up(a);
	a->agrees = (__u8)agrees(file, call.object, from, len);
	return give(a);
}

/* int gnutls_alpn_get_selected_protocol(gnutls_session_t, gnutls_datum_t *): 0, or negative for
 * none; the datum is a pointer and an unsigned int. */
SEC("uretprobe")
int library_told_gnutls(struct pt_regs *ctx)
{
	struct as_library_file *file = file_of(ctx);
	struct as_library_answer *a;
	struct call call;
	__u64 from = 0;
	__u32 len = 0;

	if (end(ASKED, &call) || !file)
		return 0;
	a = answer(ctx, AS_LIBRARY_OUT);
	if (!a)
		return 0;
	if ((int)PT_REGS_RC(ctx) == 0 &&
	    (bpf_probe_read_user(&from, sizeof(from), (void *)call.out[0]) ||
	     bpf_probe_read_user(&len, sizeof(len), (void *)(call.out[0] + sizeof(from)))))
		return give_up(a);
	if (read_name(a, from, len) || read_random(a, file, call.object))
		return give_up(a);
	return give(a);
}

SEC("uprobe")
int library_begin(struct pt_regs *ctx)
{
	return begin(HANDSHAKE, PT_REGS_PARM1(ctx), 0, 0);
}

/* The name by the library's fields. */
AS_INLINE int tell_fields(void *ctx, __u64 object)
{
	struct as_library_file *file = file_of(ctx);
	struct as_library_answer *a;
	__u64 from;
	__u32 len;

	a = file ? answer(ctx, AS_LIBRARY_FIELD) : 0;
	if (!a)
		return 0;
	if (read_fields(file, object, &from, &len) || read_name(a, from, len) ||
	    read_random(a, file, object))
		return give_up(a);
	return give(a);
}

/* In SSL_get0_alpn_selected, at a branch: what it is going to answer. */
SEC("uprobe")
int library_pass(struct pt_regs *ctx)
{
	return tell_fields(ctx, PT_REGS_PARM1(ctx));
}

/* int SSL_do_handshake(SSL *): 1 when the handshake is complete. */
SEC("uretprobe")
int library_done(struct pt_regs *ctx)
{
	struct call call;

	if (end(HANDSHAKE, &call) || (int)PT_REGS_RC(ctx) != 1)
		return 0;
	return tell_fields(ctx, call.object);
}

/* ---- new processes ---- */

/* What it will have mapped is looked at a little later. */
SEC("tp_btf/sched_process_exec")
int library_exec(void *ctx)
{
	struct as_library_exec word = {.word = AS_LIBRARY_EXEC,
				       .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};

	(void)ctx;
	if (bpf_ringbuf_output(&answers, &word, sizeof(word),
			       looking ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP))
		lose(AS_LIBRARY_RING_FULL); /* the next look at all processes finds it */
	return 0;
}
