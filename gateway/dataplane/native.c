/* The compiled part of the data plane: one call per batch, no allocation, no state between calls.
 *
 * p2s_from_tun: reads packets from a TUN with virtio_net_hdr (linux/virtio_net.h), completes their
 * checksums, segments unsegmented ones (TSO, USO) to the client's MRU, and frames them as SSTP data
 * packets.
 * p2s_from_client: parses SSTP data packets and writes their IP packets to the TUN, aggregating
 * consecutive TCP segments or UDP datagrams of equal size into one unsegmented packet. It verifies
 * their checksums first, because the kernel trusts such a packet.
 *
 * Packets that are rare or odd are left to Python (carrier.py). Structures are mirrored in
 * native.py.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    VNET = 10,        /* bytes of struct virtio_net_hdr */
    NEEDS_CSUM = 1,   /* its flags */
    GSO_NONE = 0,     /* its gso_type */
    GSO_TCPV4 = 1,
    GSO_UDP_L4 = 5,
    GSO_ECN = 0x80,
    IP_HEADER = 20,
    PACKET_MAX = 65535,
    SSTP_HEADER = 4,
    RUN_MAX = 65536,  /* bytes of a run, but for its last packet */
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    FIN = 0x01,
    SYN = 0x02,
    PSH = 0x08,
    ACK = 0x10,
    CWR = 0x80,
    OPEN_MAX = 16,    /* open aggregates */
    PARTS_MAX = 64    /* packets per aggregate: UDP_MAX_SEGMENTS of older kernels */
};

/* ---- bytes ------------------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

/* The sum of RFC 1071 in the machine's byte order, not folded: add such sums, then fold(). */
static uint64_t sum(const uint8_t *data, uint32_t size)
{
    uint64_t total = 0;
    uint32_t word;
    uint16_t half = 0;
    while (size >= 4) {
        memcpy(&word, data, 4);
        total += word;
        data += 4;
        size -= 4;
    }
    if (size >= 2) {
        memcpy(&half, data, 2);
        total += half;
        data += 2;
        size -= 2;
    }
    if (size) {
        half = 0;
        memcpy(&half, data, 1);
        total += half;
    }
    return total;
}

static uint16_t fold(uint64_t total)
{
    while (total >> 16)
        total = (total & 0xFFFF) + (total >> 16);
    return (uint16_t)total;
}

static void store_sum(uint8_t *at, uint16_t value) { memcpy(at, &value, 2); }

/* The sum of TCP's and UDP's pseudo header: addresses, protocol, length of header and data. */
static uint64_t pseudo(const uint8_t *ip, uint32_t length)
{
    uint8_t tail[4] = {0, ip[9], (uint8_t)(length >> 8), (uint8_t)length};
    return sum(ip + 12, 8) + sum(tail, 4);
}

static void sign_ip(uint8_t *ip, uint32_t header)
{
    memset(ip + 10, 0, 2);
    store_sum(ip + 10, (uint16_t)~fold(sum(ip, header)));
}

/* ---- from the TUN ------------------------------------------------------------------------ */

struct route {          /* the flow of an address; sorted by address */
    uint32_t address;
    uint32_t flow;
    uint16_t mru;
    uint8_t header_size;
    uint8_t header[5];  /* PPP's */
};

struct run {            /* a part of the output that belongs to one flow */
    uint32_t flow;
    uint32_t odd;       /* 0: framed packets; 1: one unframed IP packet, for Python */
    uint32_t offset;
    uint32_t length;
    uint32_t last;      /* position of the last packet */
    uint32_t packets;
    uint32_t octets;    /* of IP packets */
};

struct totals {
    uint64_t packets;
    uint64_t octets;
    uint32_t refused;   /* by the kernel */
    uint32_t unknown;   /* no flow has the address, or not IPv4 */
    uint32_t unusable;  /* cannot be forwarded */
};

struct output {
    uint8_t *data;
    uint32_t capacity, used;
    struct run *runs;
    uint32_t most, count;
};

static const struct route *find(const struct route *routes, uint32_t count, uint32_t address)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (routes[middle].address == address)
            return routes + middle;
        if (routes[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Reserves and frames room for one packet of `size` bytes; NULL: the output is full. */
static uint8_t *claim(struct output *out, const struct route *to, uint32_t size, int odd)
{
    uint32_t before = odd ? 0 : SSTP_HEADER + to->header_size;
    struct run *run = out->count ? out->runs + out->count - 1 : NULL;
    uint8_t *at = out->data + out->used;
    if (before + size > out->capacity - out->used)
        return NULL;
    if (!run || odd || run->odd || run->flow != to->flow || run->length >= RUN_MAX) {
        if (out->count == out->most)
            return NULL;
        run = out->runs + out->count++;
        memset(run, 0, sizeof *run);
        run->flow = to->flow;
        run->odd = (uint32_t)odd;
        run->offset = out->used;
    }
    run->last = out->used;
    run->length += before + size;
    run->packets += 1;
    run->octets += size;
    out->used += before + size;
    if (!odd) {
        at[0] = 0x10;
        at[1] = 0;
        put16(at + 2, before + size);
        memcpy(at + SSTP_HEADER, to->header, to->header_size);
    }
    return at + before;
}

static int is_syn(const uint8_t *ip, uint32_t size)
{
    uint32_t tcp = (uint32_t)(ip[0] & 15) * 4;
    return ip[9] == PROTO_TCP && (get16(ip + 6) & 0x1FFF) == 0
        && (size < tcp + 14 || (ip[tcp + 13] & SYN));
}

/* Copies a packet unsegmented. 0: it cannot be forwarded. */
static int pass(struct output *out, const struct route *to, uint8_t *ip, uint32_t size,
                uint32_t start, uint32_t offset)
{
    uint8_t *at;
    if (start) {
        uint16_t value;
        if (start < IP_HEADER || start + offset + 2 > size)
            return 0;
        value = (uint16_t)~fold(sum(ip + start, size - start));
        if (!value && ip[9] == PROTO_UDP)
            value = 0xFFFF;
        store_sum(ip + start + offset, value);
    }
    at = claim(out, to, size, size > to->mru || is_syn(ip, size));
    if (at)
        memcpy(at, ip, size);
    return at != NULL;
}

/* Segments a packet to at most the client's MRU. 0: it cannot be forwarded. */
static int segment(struct output *out, const struct route *to, const uint8_t *ip, uint32_t size,
                   uint32_t each, int tcp)
{
    uint32_t l4 = (uint32_t)(ip[0] & 15) * 4, header, payload, number, done, room;
    if (ip[9] != (tcp ? PROTO_TCP : PROTO_UDP) || size < l4 + (tcp ? 20 : 8) || !each)
        return 0;
    header = l4 + (tcp ? (uint32_t)(ip[l4 + 12] >> 4) * 4 : 8);
    if (header < l4 + (tcp ? 20 : 8) || header >= size || header >= to->mru)
        return 0;
    if (tcp && (ip[l4 + 13] & SYN))
        return 0;
    payload = size - header;
    if (tcp && each > to->mru - header)
        each = to->mru - header;
    room = (payload + each - 1) / each;
    if (room * (SSTP_HEADER + to->header_size + header) + payload > out->capacity - out->used)
        return 0;
    for (number = done = 0; done < payload; number++, done += each) {
        uint32_t part = payload - done < each ? payload - done : each;
        int final = done + part == payload;
        uint8_t *at = claim(out, to, header + part, header + part > to->mru);
        uint16_t value;
        if (!at)
            return 0;
        memcpy(at, ip, header);
        memcpy(at + header, ip + header + done, part);
        put16(at + 2, header + part);
        put16(at + 4, (get16(ip + 4) + number) & 0xFFFF);
        sign_ip(at, l4);
        if (tcp) {
            put32(at + l4 + 4, get32(ip + l4 + 4) + done);
            if (!final)
                at[l4 + 13] &= (uint8_t)~(FIN | PSH);
            if (number)
                at[l4 + 13] &= (uint8_t)~CWR;
        } else {
            put16(at + l4 + 4, 8 + part);
        }
        memset(at + l4 + (tcp ? 16 : 6), 0, 2);
        value = (uint16_t)~fold(pseudo(at, header + part - l4) + sum(at + l4, header + part - l4));
        if (!value && !tcp)
            value = 0xFFFF;
        store_sum(at + l4 + (tcp ? 16 : 6), value);
    }
    return 1;
}

/* Puts one packet into the output; `size` includes its virtio_net_hdr. */
static void one_from_tun(struct output *out, const struct route *routes, uint32_t count,
                         uint32_t field, uint8_t *packet, uint32_t size, struct totals *totals)
{
    uint8_t *ip = packet + VNET;
    uint16_t each, start, offset;
    const struct route *to;
    int kind = packet[1] & ~GSO_ECN, done = 0;
    if (size < VNET + IP_HEADER || ip[0] >> 4 != 4) {
        totals->unknown++;
        return;
    }
    size -= VNET;
    to = find(routes, count, get32(ip + field));
    if (!to) {
        totals->unknown++;
        return;
    }
    memcpy(&each, packet + 4, 2);
    memcpy(&start, packet + 6, 2);
    memcpy(&offset, packet + 8, 2);
    if ((ip[0] & 15) >= 5 && (uint32_t)(ip[0] & 15) * 4 <= size && get16(ip + 2) == size) {
        if (kind == GSO_NONE)
            done = pass(out, to, ip, size, packet[0] & NEEDS_CSUM ? start : 0, offset);
        else if (kind == GSO_TCPV4 || kind == GSO_UDP_L4)
            done = segment(out, to, ip, size, each, kind == GSO_TCPV4);
    }
    totals->unusable += !done;
}

/* Packets are routed by the address at `field` of the IP header: 12 (source) or 16 (destination).
 * Reads until the TUN is empty, or fewer than `reserve` bytes or `spare` runs of the output are
 * left. `scratch` has VNET + PACKET_MAX bytes. Returns the number of runs.
 */
uint32_t p2s_from_tun(int tun, const struct route *routes, uint32_t count, uint32_t field,
                      uint8_t *scratch, uint8_t *data, uint32_t capacity, uint32_t reserve,
                      struct run *runs, uint32_t most, uint32_t spare, struct totals *totals)
{
    struct output out = {data, capacity, 0, runs, most, 0};
    while (out.capacity - out.used >= reserve && out.most - out.count >= spare) {
        ssize_t size = read(tun, scratch, VNET + PACKET_MAX);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        one_from_tun(&out, routes, count, field, scratch, (uint32_t)size, totals);
    }
    return out.count;
}

/* ---- from a client ----------------------------------------------------------------------- */

struct aggregate {
    const uint8_t *ip;     /* the first packet */
    uint32_t l4, header;   /* bytes of the IP header, of all headers */
    uint32_t each;         /* payload of every packet but the last */
    uint32_t payload;      /* total payload */
    uint32_t parts;
    uint32_t flags;        /* TCP flags of all packets, combined */
    uint8_t head[VNET + 120];
    struct iovec vector[1 + PARTS_MAX];
};

struct input {
    int tun, udp;
    struct totals *totals;
    struct aggregate open[OPEN_MAX];  /* in order of their first packets */
    uint32_t count;
};

static void put(struct input *in, struct iovec *vector, int size, uint32_t packets)
{
    ssize_t done;
    do
        done = writev(in->tun, vector, size);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        in->totals->refused += packets;
}

static void put_single(struct input *in, const uint8_t *ip, uint32_t size)
{
    static const uint8_t plain[VNET];
    struct iovec vector[2] = {{(void *)(uintptr_t)plain, VNET}, {(void *)(uintptr_t)ip, size}};
    put(in, vector, 2, 1);
}

static void put_aggregate(struct input *in, struct aggregate *one)
{
    uint8_t *ip = one->head + VNET;
    uint16_t start = (uint16_t)one->l4, offset, each = (uint16_t)one->each;
    uint16_t header = (uint16_t)one->header;
    int tcp = one->ip[9] == PROTO_TCP;
    if (one->parts == 1) {
        put_single(in, one->ip, one->header + one->payload);
        return;
    }
    offset = tcp ? 16 : 6;
    memset(one->head, 0, VNET);
    one->head[0] = NEEDS_CSUM;
    one->head[1] = tcp ? GSO_TCPV4 : GSO_UDP_L4;
    memcpy(one->head + 2, &header, 2);
    memcpy(one->head + 4, &each, 2);
    memcpy(one->head + 6, &start, 2);
    memcpy(one->head + 8, &offset, 2);
    memcpy(ip, one->ip, one->header);
    put16(ip + 2, one->header + one->payload);
    sign_ip(ip, one->l4);
    if (tcp)
        ip[one->l4 + 13] = (uint8_t)one->flags;
    else
        put16(ip + one->l4 + 4, 8 + one->payload);
    store_sum(ip + one->l4 + offset, fold(pseudo(ip, one->header - one->l4 + one->payload)));
    one->vector[0].iov_base = one->head;
    one->vector[0].iov_len = VNET + one->header;
    put(in, one->vector, (int)one->parts + 1, one->parts);
}

static void close_at(struct input *in, uint32_t index)
{
    put_aggregate(in, in->open + index);
    in->count--;
    memmove(in->open + index, in->open + index + 1, (in->count - index) * sizeof *in->open);
}

static void close_all(struct input *in)
{
    uint32_t index;
    for (index = 0; index < in->count; index++)
        put_aggregate(in, in->open + index);
    in->count = 0;
}

/* The bytes of a TCP or UDP packet's headers if it may be part of an aggregate, otherwise 0. */
static uint32_t header_if_joinable(const struct input *in, const uint8_t *ip, uint32_t size)
{
    const uint8_t *l4 = ip + IP_HEADER;
    uint32_t header;
    if (ip[0] != 0x45)
        return 0;
    if (ip[9] == PROTO_TCP) {
        if (size < IP_HEADER + 20 || (l4[13] & ~PSH) != ACK)
            return 0;
        header = IP_HEADER + (uint32_t)(l4[12] >> 4) * 4;
        if (header < IP_HEADER + 20)
            return 0;
    } else {
        if (!in->udp || size < IP_HEADER + 8 || get16(l4 + 4) != size - IP_HEADER
            || !get16(l4 + 6))
            return 0;
        header = IP_HEADER + 8;
    }
    if (size <= header || fold(sum(ip, IP_HEADER)) != 0xFFFF)
        return 0;
    if (fold(pseudo(ip, size - IP_HEADER) + sum(l4, size - IP_HEADER)) != 0xFFFF)
        return 0;
    return header;
}

/* Whether segmenting the aggregate would yield this packet as the next one. */
static int continues(const struct aggregate *one, const uint8_t *ip, uint32_t header,
                     uint32_t payload)
{
    const uint8_t *first = one->ip;
    uint32_t l4 = one->l4;
    if (header != one->header || payload > one->each || one->parts == PARTS_MAX
        || one->payload != one->parts * one->each || (one->flags & PSH)
        || header + one->payload + payload > PACKET_MAX)
        return 0;
    /* type of service; flags; time to live */
    if (ip[1] != first[1] || memcmp(ip + 6, first + 6, 3))
        return 0;
    /* The identification of an atomic packet (DF) has no meaning (RFC 6864). */
    if (!(ip[6] & 0x40) && get16(ip + 4) != ((get16(first + 4) + one->parts) & 0xFFFF))
        return 0;
    if (ip[9] == PROTO_UDP)
        return 1;
    /* sequence; acknowledgment and header length; window; urgent pointer and options */
    return get32(ip + l4 + 4) == get32(first + l4 + 4) + one->payload
        && !memcmp(ip + l4 + 8, first + l4 + 8, 5) && !memcmp(ip + l4 + 14, first + l4 + 14, 2)
        && !memcmp(ip + l4 + 18, first + l4 + 18, header - l4 - 18);
}

static void add(struct aggregate *one, const uint8_t *ip, uint32_t payload)
{
    one->parts++;
    one->vector[one->parts].iov_base = (void *)(uintptr_t)(ip + one->header);
    one->vector[one->parts].iov_len = payload;
    one->payload += payload;
    if (ip[9] == PROTO_TCP)
        one->flags |= ip[one->l4 + 13];
}

static void begin(struct input *in, const uint8_t *ip, uint32_t header, uint32_t payload)
{
    struct aggregate *one;
    if (in->count == OPEN_MAX)
        close_at(in, 0);
    one = in->open + in->count++;
    one->ip = ip;
    one->l4 = IP_HEADER;
    one->header = header;
    one->each = payload;
    one->payload = one->parts = one->flags = 0;
    add(one, ip, payload);
}

static void take(struct input *in, const uint8_t *ip, uint32_t size)
{
    uint32_t l4 = (uint32_t)(ip[0] & 15) * 4, index, header, payload;
    if (get16(ip + 6) & 0x3FFF) {  /* a fragment: it must not overtake earlier packets */
        close_all(in);
        put_single(in, ip, size);
        return;
    }
    if ((ip[9] != PROTO_TCP && ip[9] != PROTO_UDP) || size < l4 + 4) {
        put_single(in, ip, size);
        return;
    }
    for (index = 0; index < in->count; index++) {
        const struct aggregate *one = in->open + index;
        /* protocol; source and destination; ports */
        if (one->ip[9] == ip[9] && !memcmp(one->ip + 12, ip + 12, 8)
            && !memcmp(one->ip + one->l4, ip + l4, 4))
            break;
    }
    header = header_if_joinable(in, ip, size);
    payload = size - header;
    if (index < in->count) {
        if (header && continues(in->open + index, ip, header, payload)) {
            add(in->open + index, ip, payload);
            return;
        }
        close_at(in, index);
    }
    if (header)
        begin(in, ip, header, payload);
    else
        put_single(in, ip, size);
}

/* The offset of the IPv4 packet in an SSTP packet, after any of the four PPP headers; 0: none. */
static uint32_t ip_offset(const uint8_t *packet, uint32_t length)
{
    uint32_t at = SSTP_HEADER;
    if (length >= at + 2 && packet[at] == 0xFF && packet[at + 1] == 0x03)
        at += 2;
    if (length >= at + 1 && packet[at] == 0x21)
        return at + 1;
    if (length >= at + 2 && packet[at] == 0x00 && packet[at + 1] == 0x21)
        return at + 2;
    return 0;
}

/* Handles the SSTP packets from `at` up to `end` that carry ordinary IPv4 packets with `address`
 * at `field` (12 or 16) of their header. Returns where it stopped: at an
 * incomplete packet, or at one for Python.
 */
uint32_t p2s_from_client(int tun, int udp, const uint8_t *data, uint32_t at, uint32_t end,
                         uint32_t address, uint32_t field, struct totals *totals)
{
    struct input in;
    in.tun = tun;
    in.udp = udp;
    in.totals = totals;
    in.count = 0;
    while (end - at >= SSTP_HEADER) {
        const uint8_t *packet = data + at, *ip;
        uint32_t length = (uint32_t)(packet[2] & 15) << 8 | packet[3], start, size;
        if (packet[0] != 0x10 || (packet[1] & 1) || length > end - at)
            break;
        start = ip_offset(packet, length);
        if (!start || length < start + IP_HEADER)
            break;
        ip = packet + start;
        size = get16(ip + 2);
        if (ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || size < (uint32_t)(ip[0] & 15) * 4
            || size > length - start || get32(ip + field) != address || is_syn(ip, size))
            break;
        totals->packets++;
        totals->octets += size;
        take(&in, ip, size);
        at += length;
    }
    close_all(&in);
    return at;
}
