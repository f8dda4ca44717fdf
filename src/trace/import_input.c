/* SPDX-License-Identifier: MIT */
/*
 * One stream of bytes from a plain or compressed file.
 *
 *     file -> [64 KiB] -> inflate -> | block | block | block | block | -> import_input_read
 *             '------ the inflater's thread ------'      a ring          the caller's thread
 *
 * Why a thread: a damo record of a million regions is 500 MB of JSON in 16 MB of zlib stream;
 * inflating alone takes about as long as all the rest. Two cores halve the wait, and one core loses
 * nothing but the hand-over of 2,000 blocks. Who waits is woken when the ring is half full or half
 * empty, not at every block: that took 0.06 s of 0.45 s of CPU on such a file.
 *
 * A zlib stream is given to zlib without its frame,
 *
 *     | header, 2 bytes | deflate stream ... | Adler-32, 4 bytes |    (RFC 1950)
 *
 * for zlib's own sum takes nearly half of its time (adler.c).
 *
 * Cost: NR_BLOCKS * BLOCK_BYTES + 64 KiB = about 2 MiB per compressed file, nothing for plain ones.
 * gzip files of several members are read as their concatenation, as gzip(1) does.
 */
#include "trace/import_input.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "trace/adler.h"

#define NR_BLOCKS   8
#define NR_TO_WAKE  (NR_BLOCKS / 2)
#define BLOCK_BYTES ((size_t)256 << 10)
#define INPUT_BYTES ((size_t)64 << 10)
#define AUTO_FORMAT (15 + 32) /* zlib: largest window, gzip and zlib headers told apart */
#define GZIP_FORMAT (15 + 16)
#define RAW_FORMAT  (-15) /* neither */

#define ZLIB_HEADER_BYTES  2
#define ZLIB_TRAILER_BYTES 4

enum framing { FRAMING_NONE, FRAMING_ZLIB, FRAMING_GZIP };

struct block {
	uint8_t *bytes;
	size_t nr;
};

/* The ring between the two threads: blocks[made % NR_BLOCKS] is being filled. */
struct inflater {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block blocks[NR_BLOCKS];
	uint64_t made, taken; /* whole blocks handed over, given back */
	bool stop;	      /* the reader wants no more */
	bool done;	      /* no block comes after `made` */
	int error;
	bool is_cut;
	/* The thread's own. */
	int fd;
	z_stream zlib;
	enum framing framing;
	bool in_stream; /* inside a member: an end now is a cut */
	bool file_end;
	/* Of the zlib framing. */
	const uint8_t *to_sum; /* bytes inflated from here on are not in `adler` yet */
	uint32_t adler, trailer;
	unsigned nr_trailer; /* bytes of it still to come; 0: inside the deflate stream */
	uint64_t nr_members;
	uint8_t *input;
};

struct import_input {
	int fd;
	char *path;
	uint64_t file_bytes;
	enum framing framing;
	struct inflater *inflater; /* NULL: not started */
	size_t offset;		   /* read from the block at inflater->taken */
	bool is_cut;
};

static enum framing framing_of(const uint8_t *bytes, size_t nr)
{
	if (nr >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8)
		return FRAMING_GZIP; /* RFC 1952 */
	/* RFC 1950: method 8, no dictionary, and a header that is a multiple of 31. */
	bool is_zlib = nr >= ZLIB_HEADER_BYTES && (bytes[0] & 0x0f) == 8 && bytes[0] >> 4 <= 7 &&
		       (bytes[0] * 256 + bytes[1]) % 31 == 0 && !(bytes[1] & 0x20);
	return is_zlib ? FRAMING_ZLIB : FRAMING_NONE;
}

/* Reads more compressed bytes when there are none; -EBADMSG never, only the system's errors. */
static int inflater_feed(struct inflater *inflater)
{
	if (inflater->zlib.avail_in || inflater->file_end)
		return 0;
	ssize_t nr;
	do
		nr = read(inflater->fd, inflater->input, INPUT_BYTES);
	while (nr < 0 && errno == EINTR);
	if (nr < 0)
		return -errno;
	inflater->file_end = nr == 0;
	inflater->zlib.next_in = inflater->input;
	inflater->zlib.avail_in = (uInt)nr;
	return 0;
}

/* Between members: padding of zeros ends the file, another member follows, all else is broken. */
static int inflater_next_member(struct inflater *inflater)
{
	z_stream *zlib = &inflater->zlib;
	if (inflater->nr_members) {
		while (zlib->avail_in && !*zlib->next_in) {
			zlib->next_in++;
			zlib->avail_in--;
		}
		if (!zlib->avail_in)
			return 0;
		if (inflater->framing != FRAMING_GZIP || *zlib->next_in != 0x1f)
			return -EBADMSG;
		inflateReset(zlib);
	}
	inflater->nr_members++;
	inflater->in_stream = true;
	return 0;
}

static void inflater_sum(struct inflater *inflater)
{
	const uint8_t *end = inflater->zlib.next_out;
	if (inflater->framing == FRAMING_ZLIB)
		inflater->adler = adler_add(inflater->adler, inflater->to_sum,
					    (size_t)(end - inflater->to_sum));
	inflater->to_sum = end;
}

/* Takes what there is of the sum behind the stream, and compares when it is whole. */
static int inflater_take_trailer(struct inflater *inflater)
{
	z_stream *zlib = &inflater->zlib;
	for (; inflater->nr_trailer && zlib->avail_in; inflater->nr_trailer--, zlib->avail_in--)
		inflater->trailer = inflater->trailer << 8 | *zlib->next_in++;
	if (inflater->nr_trailer)
		return 0;
	inflater->in_stream = false;
	return inflater->trailer == inflater->adler ? 0 : -EBADMSG;
}

static int inflater_step(struct inflater *inflater)
{
	if (inflater->nr_trailer)
		return inflater_take_trailer(inflater);
	switch (inflate(&inflater->zlib, Z_NO_FLUSH)) {
	case Z_STREAM_END:
		inflater_sum(inflater);
		inflater->in_stream = inflater->framing == FRAMING_ZLIB;
		inflater->nr_trailer = inflater->in_stream ? ZLIB_TRAILER_BYTES : 0;
		return 0;
	case Z_OK:
	case Z_BUF_ERROR:
		return 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

/* Fills one block; a block that is not full is the last. */
static int inflater_fill(struct inflater *inflater, struct block *block)
{
	z_stream *zlib = &inflater->zlib;
	zlib->next_out = block->bytes;
	zlib->avail_out = BLOCK_BYTES;
	inflater->to_sum = block->bytes;
	int error = 0;
	while (zlib->avail_out && !error) {
		error = inflater_feed(inflater);
		if (error || (!zlib->avail_in && inflater->file_end))
			break;
		if (!inflater->in_stream)
			error = inflater_next_member(inflater);
		if (error || !inflater->in_stream)
			continue;
		error = inflater_step(inflater);
	}
	inflater_sum(inflater);
	block->nr = BLOCK_BYTES - zlib->avail_out;
	return error;
}

/* Waits until a block is free; false when the reader has gone. */
static bool inflater_wait_free(struct inflater *inflater)
{
	pthread_mutex_lock(&inflater->lock);
	while (!inflater->stop && inflater->made - inflater->taken == NR_BLOCKS)
		pthread_cond_wait(&inflater->changed, &inflater->lock);
	bool go_on = !inflater->stop;
	pthread_mutex_unlock(&inflater->lock);
	return go_on;
}

static void *inflater_main(void *context)
{
	struct inflater *inflater = context;
	bool done = false;
	while (!done && inflater_wait_free(inflater)) {
		struct block *block = &inflater->blocks[inflater->made % NR_BLOCKS];
		int error = inflater_fill(inflater, block);
		done = error || block->nr < BLOCK_BYTES;
		pthread_mutex_lock(&inflater->lock);
		inflater->made++;
		inflater->done = done;
		inflater->error = error;
		inflater->is_cut = done && !error && inflater->in_stream;
		if (done || inflater->made - inflater->taken == NR_TO_WAKE)
			pthread_cond_signal(&inflater->changed);
		pthread_mutex_unlock(&inflater->lock);
	}
	return NULL;
}

static void inflater_free(struct inflater *inflater)
{
	for (size_t i = 0; i < NR_BLOCKS; i++)
		free(inflater->blocks[i].bytes);
	inflateEnd(&inflater->zlib);
	pthread_cond_destroy(&inflater->changed);
	pthread_mutex_destroy(&inflater->lock);
	free(inflater->input);
	free(inflater);
}

/* The thread takes no signal: the program's handlers run where the program expects them. */
static int inflater_start(struct inflater *inflater)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = pthread_create(&inflater->thread, NULL, inflater_main, inflater);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static int inflater_init_zlib(struct inflater *inflater)
{
	bool is_zlib = inflater->framing == FRAMING_ZLIB;
	if (is_zlib && lseek(inflater->fd, ZLIB_HEADER_BYTES, SEEK_SET) < 0)
		return -errno;
	inflater->adler = ADLER_INIT;
	inflater->in_stream = is_zlib; /* its header is behind us */
	inflater->nr_members = is_zlib;
	int status = inflateInit2(&inflater->zlib, is_zlib ? RAW_FORMAT : GZIP_FORMAT);
	return status == Z_OK ? 0 : -ENOMEM;
}

static int inflater_new(int fd, enum framing framing, struct inflater **ret)
{
	struct inflater *inflater = calloc(1, sizeof(*inflater));
	if (!inflater)
		return -ENOMEM;
	inflater->fd = fd;
	inflater->framing = framing;
	pthread_mutex_init(&inflater->lock, NULL);
	pthread_cond_init(&inflater->changed, NULL);
	int error = inflater_init_zlib(inflater);
	inflater->input = malloc(INPUT_BYTES);
	bool ok = inflater->input;
	for (size_t i = 0; i < NR_BLOCKS; i++) {
		inflater->blocks[i].bytes = malloc(BLOCK_BYTES);
		ok = ok && inflater->blocks[i].bytes;
	}
	if (!error)
		error = ok ? inflater_start(inflater) : -ENOMEM;
	if (error) {
		inflater_free(inflater);
		return error;
	}
	*ret = inflater;
	return 0;
}

static void import_input_stop(struct import_input *input)
{
	struct inflater *inflater = input->inflater;
	if (!inflater)
		return;
	pthread_mutex_lock(&inflater->lock);
	inflater->stop = true;
	pthread_cond_signal(&inflater->changed);
	pthread_mutex_unlock(&inflater->lock);
	pthread_join(inflater->thread, NULL);
	inflater_free(inflater);
	input->inflater = NULL;
}

struct import_input *import_input_free(struct import_input *input)
{
	if (!input)
		return NULL;
	import_input_stop(input);
	if (input->fd >= 0)
		close(input->fd);
	free(input->path);
	free(input);
	return NULL;
}

int import_input_rewind(struct import_input *input)
{
	import_input_stop(input);
	input->offset = 0;
	input->is_cut = false;
	return lseek(input->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static int input_probe(struct import_input *input)
{
	uint8_t head[4];
	struct stat status;
	ssize_t nr = pread(input->fd, head, sizeof(head), 0);
	if (nr < 0 || fstat(input->fd, &status))
		return -errno;
	input->file_bytes = (uint64_t)status.st_size;
	input->framing = framing_of(head, (size_t)nr);
	return import_input_rewind(input);
}

int import_input_new(int fd, const char *path, struct import_input **ret, struct printbuf *err)
{
	struct import_input *input = calloc(1, sizeof(*input));
	char *copy = strdup(path);
	int error = input && copy ? 0 : -ENOMEM;
	if (error) {
		free(input);
		free(copy);
		close(fd);
		return error_file(err, error, path, "read");
	}
	input->fd = fd;
	input->path = copy;
	error = input_probe(input);
	if (error) {
		error_file(err, error, path, "read");
		import_input_free(input);
		return error;
	}
	*ret = input;
	return 0;
}

/* A whole block, or what is before the end; 0 at the end, negative on failure. */
static ssize_t input_block(struct import_input *input, const uint8_t **ret_bytes)
{
	struct inflater *inflater = input->inflater;
	pthread_mutex_lock(&inflater->lock);
	while (inflater->made == inflater->taken && !inflater->done)
		pthread_cond_wait(&inflater->changed, &inflater->lock);
	bool have = inflater->made > inflater->taken;
	int error = inflater->error;
	input->is_cut = inflater->is_cut;
	pthread_mutex_unlock(&inflater->lock);
	if (!have)
		return error;
	const struct block *block = &inflater->blocks[inflater->taken % NR_BLOCKS];
	*ret_bytes = block->bytes + input->offset;
	return (ssize_t)(block->nr - input->offset);
}

static void input_block_done(struct import_input *input)
{
	struct inflater *inflater = input->inflater;
	pthread_mutex_lock(&inflater->lock);
	inflater->taken++;
	if (inflater->made - inflater->taken == NR_TO_WAKE)
		pthread_cond_signal(&inflater->changed);
	pthread_mutex_unlock(&inflater->lock);
	input->offset = 0;
}

static ssize_t read_inflated(struct import_input *input, uint8_t *buffer, size_t size)
{
	if (!input->inflater) {
		int error = inflater_new(input->fd, input->framing, &input->inflater);
		if (error)
			return error;
	}
	for (;;) { /* at most two rounds: only the last block may be empty */
		const uint8_t *bytes = NULL;
		ssize_t have = input_block(input, &bytes);
		if (have < 0 || (have == 0 && !bytes))
			return have;
		size_t nr = MIN((size_t)have, size);
		memcpy(buffer, bytes, nr);
		input->offset += nr;
		if (nr == (size_t)have)
			input_block_done(input);
		if (nr)
			return (ssize_t)nr;
	}
}

ssize_t import_input_read(void *context, void *buffer, size_t size)
{
	struct import_input *input = context;
	if (input->framing)
		return read_inflated(input, buffer, size);
	ssize_t nr;
	do
		nr = read(input->fd, buffer, size);
	while (nr < 0 && errno == EINTR);
	return nr < 0 ? -errno : nr;
}

bool import_input_is_cut(const struct import_input *input)
{
	return input->is_cut;
}

bool import_input_is_compressed(const struct import_input *input)
{
	return input->framing != FRAMING_NONE;
}

const char *import_input_path(const struct import_input *input)
{
	return input->path;
}

uint64_t import_input_file_bytes(const struct import_input *input)
{
	return input->file_bytes;
}

int import_input_explain(const struct import_input *input, int error, struct printbuf *err)
{
	if (error == -EBADMSG && input->framing)
		return error_set(err, error,
				 "%s: the compressed data are damaged; copy the file again",
				 input->path);
	return error_file(err, error, input->path, "read");
}

size_t import_input_peek(const uint8_t *bytes, size_t nr_bytes, uint8_t *out, size_t size)
{
	if (framing_of(bytes, nr_bytes) == FRAMING_NONE) {
		size_t nr = MIN(nr_bytes, size);
		memcpy(out, bytes, nr);
		return nr;
	}
	z_stream zlib = { 0 };
	if (inflateInit2(&zlib, AUTO_FORMAT) != Z_OK)
		return 0;
	zlib.next_in = (Bytef *)(uintptr_t)bytes; /* zlib's interface lacks the const */
	zlib.avail_in = (uInt)nr_bytes;
	zlib.next_out = out;
	zlib.avail_out = (uInt)size;
	inflate(&zlib, Z_SYNC_FLUSH);
	inflateEnd(&zlib);
	return size - zlib.avail_out;
}
