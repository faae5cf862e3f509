/** Small pairs side by side: a crew of matchers of one thread each, who take groups, or parts of large ones.
 *
 *  Threads that share each stage of a pair wait for each other several times a pair, which is nothing to a large pair
 *  and most of the time of a small one. What the crew shares is pixels and plans, which are only read.
 */
#ifndef NCC_CREW_H
#define NCC_CREW_H

#include "base/pool.h"
#include "mpixcorr.h"

typedef struct ncc_crew ncc_crew;

/** Templates [from, to) of a group. @param[in] peaks  listed for each */
ncc_group ncc_group_part(const ncc_group *group, int64_t from, int64_t to, int peaks);

/** A crew of as many as the pool has threads; its matchers are made when they are needed.
 *  @param[in] config  of whom the crew belongs to. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_crew_create(const ncc_search *search, const ncc_config *config, ncc_pool *pool, ncc_crew **out);
void ncc_crew_destroy(ncc_crew **crew);

/** Bytes that the matchers have allocated at most. */
int64_t ncc_crew_bytes(const ncc_crew *crew);
/** Frees them. */
void ncc_crew_dismiss(ncc_crew *crew);

/** Matches those groups whose pairs are small and many enough for that to pay.
 *  @param[in]     most_bytes  that the crew may have in all; 0: no limit
 *  @param[in,out] n, groups   checked, none of them empty; on return the groups that are left, in their order
 *  @param[in,out] counters    seconds are divided by the threads at work, so that they add up to the time it took
 *  @return as ncc_matcher_match(). */
ncc_status ncc_crew_match(ncc_crew *crew, int64_t most_bytes, int64_t *n, const ncc_group **groups,
                          ncc_counters *counters);

#endif
