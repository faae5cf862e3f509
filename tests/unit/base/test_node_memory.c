/** The memory that a job may use is the least of what control groups (both versions, at every level, with and without
 *  namespaces, together) and SLURM allow. /proc and /sys are made up in a folder. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/node_memory.h"
#include "check.h"

enum { MIB = 1 << 20 };
static char root[64];

/** Writes a file of the made-up root, and the folders that lead to it. */
static void put(const char *path, const char *text) {
  char name[512];
  snprintf(name, sizeof name, "%s%s", root, path);
  for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = '\0';
    mkdir(name, 0700);
  }
  FILE *file = fopen(name, "w");
  CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", name);
}

static void begin(const char *groups, const char *mounts) {
  char command[128];
  if (root[0]) snprintf(command, sizeof command, "rm -rf %s", root);
  CHECK(!root[0] || system(command) == 0, "%s", command);
  strcpy(root, "/tmp/test_node_memory.XXXXXX");
  CHECK(mkdtemp(root), "%s", root);
  put("/proc/self/cgroup", groups);
  put("/proc/self/mountinfo", mounts);
}

static void expect(const char *what, int64_t mib) {
  const int64_t found = ncc_node_memory_bytes(root);
  CHECK(found == mib * MIB, "%s: %lld MiB found, expected %lld", what, (long long)(found / MIB), (long long)mib);
}

static int64_t machine_mib(void) {
  return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / MIB;
}

static const char v2[] = "25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char v1[] =
    "22 30 0:20 / /proc rw - proc proc rw\n"
    "31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:27 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";

static void check_version_2(void) {
  begin("0::/system.slice/slurmstepd.scope/job_7/step_0/task_3\n", v2);
  put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/task_3/memory.max", "max\n");
  CHECK(ncc_node_memory_bytes(root) / MIB == machine_mib(), "no limit");
  put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/memory.max", "209715200\n");
  expect("the parent's limit", 200);
  put("/sys/fs/cgroup/system.slice/memory.max", "104857600\n");
  expect("a limit far above", 100);
  put("/sys/fs/cgroup/memory.max", "52428800\n");
  expect("the limit of the top", 50);
  put("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/task_3/memory.max", "31457280\n");
  expect("the group's own limit", 30);
}

static void check_version_1(void) {
  begin("9:cpu,cpuacct:/slurm/uid_5/job_8\n4:hugetlb,memory:/slurm/uid_5/job_8/step_1\n0::/elsewhere\n", v1);
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/cpu,cpuacct/slurm/uid_5/job_8/memory.limit_in_bytes", "1048576\n");
  CHECK(ncc_node_memory_bytes(root) / MIB == machine_mib(), "no limit");
  put("/sys/fs/cgroup/memory/slurm/uid_5/job_8/memory.limit_in_bytes", "314572800\n");
  expect("the job's limit, of version 1", 300);
  put("/sys/fs/cgroup/memory/slurm/uid_5/job_8/step_1/memory.limit_in_bytes", "73400320\n");
  expect("the step's", 70);
}

static void check_containers(void) {
  begin("4:memory:/docker/abc/job\n", "32 30 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "94371840\n");
  expect("below what a container sees", 90);
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "83886080\n");
  expect("the container's own", 80);
  begin("4:memory:/docker/abcd\n", "32 30 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  put("/sys/fs/cgroup/memoryd/memory.limit_in_bytes", "1048576\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "62914560\n");
  expect("another group whose name begins alike", 60);
  begin("0::/../../job\n", v2);
  put("/sys/fs/cgroup/memory.max", "41943040\n");
  expect("a group of another namespace", 40);
  begin("4:memory:/a\n0::/b\n",
        "25 30 0:23 / /unified rw - cgroup2 cgroup2 rw\n"
        "32 30 0:27 / /memory rw - cgroup cgroup rw,memory\n");
  put("/unified/b/memory.max", "20971520\n");
  put("/memory/a/memory.limit_in_bytes", "26214400\n");
  expect("both versions, where they are mounted", 20);
}

static void check_slurm(void) {
  begin("0::/a\n", v2);
  put("/sys/fs/cgroup/a/memory.max", "943718400\n");
  setenv("SLURM_MEM_PER_CPU", "250", 1);
  expect("by CPU, but nobody says of how many", 900);
  setenv("SLURM_JOB_CPUS_PER_NODE", "3(x2)", 1);
  expect("by CPU of the job", 750);
  setenv("SLURM_CPUS_ON_NODE", "2", 1);
  expect("by CPU of the step", 500);
  setenv("SLURM_MEM_PER_CPU", "0", 1);
  expect("all memory of the node", 900);
  setenv("SLURM_MEM_PER_GPU", "200", 1);
  setenv("SLURM_GPUS_ON_NODE", "3", 1);
  expect("by GPU", 600);
  setenv("SLURM_MEM_PER_NODE", "400", 1);
  expect("by node", 400);
  setenv("SLURM_MEM_PER_NODE", "9000000000000000000", 1);
  expect("no number that makes sense", 600);
}

int main(void) {
  static const char *const names[] = {"SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU",  "SLURM_MEM_PER_GPU",
                                      "SLURM_CPUS_ON_NODE", "SLURM_GPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
  check_version_2();
  check_version_1();
  check_containers();
  check_slurm();
  begin("", "");
  CHECK(ncc_node_memory_bytes("") > 0, "of this machine");
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command);
}
