#include "tools/world/figure.h"

#include <math.h>

#include "tools/world/figure_rig.h"

void world_figure_draw(cairo_t *cr, const world_look *look, const world_pose *pose, double pixels) {
    fk_kit kit;
    fk_begin(&kit, pixels);
    fig f = {&kit, look, pose, {look->r, look->g, look->b}, pixels, pixels >= 110};
    switch (look->subject) {
    case WORLD_OLD_MAN:
    case WORLD_WOMAN:
    case WORLD_BOY:
        figure_person(&f);
        break;
    case WORLD_ROBOT:
        figure_robot(&f);
        break;
    case WORLD_KANGAROO:
        figure_kangaroo(&f);
        break;
    case WORLD_SHIBA:
    case WORLD_CAT:
    case WORLD_TIGER:
        figure_four_legs(&f);
        break;
    case WORLD_MONSTER:
        figure_monster(&f);
        break;
    case WORLD_DINOSAUR:
        figure_dinosaur(&f);
        break;
    case WORLD_CAR:
        figure_car(&f);
        break;
    case WORLD_BOAT:
        figure_boat(&f);
        break;
    case WORLD_FISH:
        figure_fish(&f);
        break;
    default:
        break;
    }
    fk_paint(&kit, cr);
}

double world_figure_width(int subject) {
    static const double ratio[WORLD_SUBJECTS] = {
        [WORLD_OLD_MAN] = 0.52,  [WORLD_WOMAN] = 0.48,    [WORLD_BOY] = 0.52, [WORLD_ROBOT] = 0.55,
        [WORLD_KANGAROO] = 0.92, [WORLD_SHIBA] = 0.60,    [WORLD_CAT] = 0.72, [WORLD_TIGER] = 0.80,
        [WORLD_MONSTER] = 0.80,  [WORLD_DINOSAUR] = 1.08, [WORLD_CAR] = 1.95, [WORLD_BOAT] = 1.08,
        [WORLD_FISH] = 1.36,
    };
    return subject >= 0 && subject < WORLD_SUBJECTS ? ratio[subject] : 0.5;
}

double world_figure_height(int subject) { return subject == WORLD_CAR ? 0.78 : subject == WORLD_FISH ? 0.86 : 1.0; }
