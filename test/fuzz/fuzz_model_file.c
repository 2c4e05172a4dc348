/* One file of weights as a model: whatever the container, names are mapped and configs inferred and checked. */
#include "lib/model/config.h"
#include "lib/model/files.h"
#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    for (int way = 0; way < 2; way++) {
        sorai_source *source = fuzz_source(&mem, "fuzz.weights", data, size, way);
        sorai_package *p;
        sora_error err = {0};
        const int status = sorai_files_open_source(&p, &mem, source, &err);
        fuzz_check_error(status, &err);
        const char *part;
        for (size_t i = 0; status == SORA_OK && (part = sorai_package_part(p, i)) != NULL; i++) {
            size_t count = 0;
            json_t *config;
            sorai_dit_config dit;
            sorai_vae_config vae;
            sorai_t5_config t5;
            fuzz_require(sorai_package_config(p, part, &config, &err) == SORA_OK, "a part has a config");
            const int checked = part[0] == 'v'   ? sorai_config_vae(config, &vae, &err)
                                : part[1] == 'r' ? sorai_config_dit(config, &dit, &err)
                                                 : sorai_config_t5(config, &t5, &err);
            fuzz_check_error(checked, &err);
            fuzz_require(sorai_package_tensor_count(p, part, &count, &err) == SORA_OK, "a part can be listed");
            for (size_t k = 0; k < count; k++) {
                sorai_tensor_info info;
                sora_tensor *t;
                fuzz_require(sorai_package_tensor(p, part, k, &info, &err) == SORA_OK, "a listed tensor has an entry");
                fuzz_check_error(sorai_package_lookup(p, part, info.name, &t, &err), &err);
                sorai_tensor_unref(&t);
            }
        }
        if (status == SORA_OK) sorai_package_close(&p);
        sorai_source_unref(&source);
    }
    fuzz_check_memory(&mem, size, 200, 262144);
    return 0;
}
